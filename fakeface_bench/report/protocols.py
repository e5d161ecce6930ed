"""Generators left out of training, and what was released next: tables, heat map and curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from fakeface_bench.analysis.protocols import (
    InTime,
    Unseen,
    improvability,
    in_order_of_time,
    unseen_generators,
    unsure_share,
    untouched,
)
from fakeface_bench.analysis.transfer import (
    hold_out_effect,
    is_above_chance,
    is_reversed,
    is_within_floor,
    remarks,
    residual_floor,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import Generalisation, HoldOut, SetScores, TimeStep
from fakeface_bench.report import drawing, plotting
from fakeface_bench.report.comparison_plots import mark, time_axis
from fakeface_bench.report.format import (
    UNKNOWN,
    class_counts,
    counted,
    format_images,
    named,
    with_interval,
)
from fakeface_bench.report.page import Verdict
from fakeface_bench.report.table import (
    COUNT,
    ESTIMATE,
    NAME,
    SCORE,
    TIME,
    WORDS,
    Column,
    Format,
    Table,
    at,
    only_csv,
    only_text,
)
from fakeface_bench.report.transfer_tables import HEADINGS
from fakeface_bench.support.text import visible

UNSEEN_FILE, TIME_FILE, FRONT_FILE = "unseen_generators", "in_time", "unseen_front"
_FIXED_HYPHEN = "\N{NON-BREAKING HYPHEN}"
_DATE = Format(
    lambda date: visible(date).replace("-", _FIXED_HYPHEN) or UNKNOWN,
    {"": visible},
    "",
)


@dataclass(frozen=True, slots=True)
class UnseenRow:
    """One generator, as a network does on it that never saw it."""

    of: Unseen
    out: HoldOut

    @property
    def cell(self) -> SetScores:
        """Its scores."""
        return self.out.without

    @property
    def remark(self) -> str:
        """What a reader must not miss."""
        worst = ["worst"] if self.out is self.of.worst and len(self.of.outs) > 1 else []
        return "; ".join([*worst, *remarks(self.cell, None)])


_AT_THRESHOLD = ("average_precision", "recall_fake", "false_alarm_rate", "recall_at_1pct_fpr")


def _columns_of_cell() -> tuple[Column, ...]:
    def residual(equalised: bool) -> Callable[[UnseenRow | TimeStep], Estimate | None]:
        return lambda row: residual_floor(row.cell, equalised)

    def as_seen(row: UnseenRow | TimeStep) -> Estimate | None:
        return residual_floor(row.cell, row.cell.model.equalised)

    headings = HEADINGS | {"recall_fake": "recall"}
    return (
        only_text("images", "images", lambda row: format_images(row.cell).removeprefix("n = ")),
        only_csv("n_real", lambda row: class_counts(row.cell)[0]),
        only_csv("n_fake", lambda row: class_counts(row.cell)[1]),
        Column("left_out", "left out", "cell.overlap.images", COUNT),
        only_csv("threshold", "cell.scored.threshold"),
        *(
            Column(key, headings[key], at("cell.estimates", key), ESTIMATE)
            for key in ("roc_auc", *_AT_THRESHOLD)
        ),
        Column("unsure", "unsure", lambda row: unsure_share(row.cell), ESTIMATE),
        Column("shortcut_floor", "metadata alone", lambda row: _floor(row.cell), ESTIMATE),
        Column("residual_floor", "residual statistics alone", as_seen, ESTIMATE),
        only_csv("residual_floor_untouched", residual(False), ESTIMATE),
        only_csv("residual_floor_equalised", residual(True), ESTIMATE),
        only_csv("run_id", "cell.model.run_id", NAME),
    )


_OF_UNSEEN = (
    Column("model", "model", "out.model", NAME),
    Column("data", "dataset", "out.data", NAME),
    Column("generator", "never seen", "out.value", NAME),
    Column("released", "released", "cell.released", _DATE),
    *_columns_of_cell(),
    Column("roc_auc_seen", "trained with it", lambda row: _seen(row.out), ESTIMATE),
    Column("difference", "difference", lambda row: hold_out_effect(row.out), ESTIMATE),
    Column("remark", "remark", "remark", WORDS),
)
_OF_STEPS = (
    Column("model", "model", "model", NAME),
    Column("data", "dataset", "data", NAME),
    Column("until", "trained up to", "until", _DATE),
    Column("released", "tested on", "released", _DATE),
    Column("generators", "generators", lambda step: ", ".join(step.generators), NAME),
    *_columns_of_cell(),
    Column("remark", "remark", lambda step: "; ".join(remarks(step.cell, None)), WORDS),
)
_OF_NETWORKS = (
    Column("model", "network", "model", NAME),
    Column("data", "dataset", "data", NAME),
    Column("total_cold_seconds", "cost, cold", "cold_seconds", TIME),
    Column("mean_roc_auc", "mean ROC AUC, never seen", "mean", ESTIMATE),
    Column("worst", "worst generator", "worst.value", NAME),
    Column("worst_roc_auc", "its ROC AUC", lambda of: _roc_auc(of.worst.without), ESTIMATE),
)
_RANKING = ("roc_auc", "roc_auc_seen", "difference", "shortcut_floor", "residual_floor", "remark")
_VIEWS = {
    "ranking": ("generator", "released", "images", *_RANKING),
    "at threshold": ("generator", *_AT_THRESHOLD, "unsure"),
    "short": ("generator", "roc_auc", "recall_fake", "false_alarm_rate", "remark"),
}
_STEP_VIEWS = {
    "page": (
        *("until", "released", "generators", "images", "roc_auc", "recall_fake"),
        *("false_alarm_rate", "shortcut_floor", "residual_floor", "remark"),
    ),
    "short": ("until", "released", "roc_auc", "recall_fake", "false_alarm_rate", "remark"),
}


def _seen(out: HoldOut) -> Estimate | None:
    return out.seen.estimates.get("roc_auc") if out.seen else None


def unseen_table(record: Generalisation, view: str = "") -> Table:
    """Return a row a generator, network by network, the worst first; all columns without a view."""
    found = unseen_generators(record)
    rows = [UnseenRow(of, out) for of in found for out in of.outs]
    table = Table(_OF_UNSEEN, rows, name="Generators left out of training")
    return table.pick(*_several(found), *_VIEWS[view]) if view else table


def networks_table(record: Generalisation) -> Table:
    """Return a row a network, where there are several: what it cost, its mean, and its worst."""
    found = unseen_generators(record)
    rows = sorted(found, key=lambda of: -_roc_auc(of.worst.without).value)
    behind = Column("improvability", "improvability", lambda of: improvability(of, found), SCORE)
    return Table((*_OF_NETWORKS, behind), rows if len(found) > 1 else [], name="Networks")


def time_table(record: Generalisation, view: str = "") -> Table:
    """Return a row a step in time; without a view all columns, and the dates after the next too."""
    found = in_order_of_time(record)
    rows = [step for of in found for step in (*of.steps, *(() if view else of.later))]
    table = Table(_OF_STEPS, rows, name="In order of time")
    return table.pick(*_several(found), *_STEP_VIEWS[view]) if view else table


def protocol_tables(record: Generalisation) -> dict[str, Table]:
    """Return the short tables, which fit a terminal, by their titles; some may be empty."""
    return {
        "Generators left out of training": unseen_table(record, "short"),
        "In the order of time": time_table(record, "short"),
    }


def _several(found: Sequence[Unseen | InTime]) -> tuple[str, ...]:
    model = ("model",) if len({of.model for of in found}) > 1 else ()
    data = ("data",) if len({of.data for of in found}) > 1 else ()
    return (*model, *data)


def unseen_lines(found: Sequence[Unseen]) -> list[str]:
    """Return a sentence for each network: its mean over unseen generators, and its worst."""
    return [
        f"{_who(of.model, of.data)}: mean ROC AUC {with_interval(of.mean)} over "
        f"{counted(len(of.outs), 'generator')} that it never saw, each counting the same; worst: "
        f"{named(of.worst.value)}, {with_interval(_roc_auc(of.worst.without))}"
        f"{', the classes reversed' if is_reversed(of.worst.without) else ''}."
        for of in found
    ]


def time_lines(found: Sequence[InTime]) -> list[str]:
    """Return a sentence for each network: its mean over what was released next, and its worst."""
    lines = []
    for of in found:
        worst = min(of.steps, key=lambda step: _roc_auc(step.cell).value)
        lines.append(
            f"{_who(of.model, of.data)}: mean ROC AUC {with_interval(of.mean)} on what was "
            f"released next, over {counted(len(of.steps), 'date')}; worst: {worst.released} "
            f"({named(', '.join(worst.generators))}), {with_interval(_roc_auc(worst.cell))}."
        )
    return lines


def protocol_verdict(record: Generalisation) -> Verdict | None:
    """Say how models do on generators that they never saw; None where none was left out."""
    networks, of_dates = untouched(unseen_generators(record)), untouched(in_order_of_time(record))
    unseen = [out.without for of in networks for out in of.outs]
    following = [step.cell for of in of_dates for step in of.steps]
    cells = unseen or following
    if not cells:
        return None
    above = sum(map(is_above_chance, cells))
    turned = sum(map(is_reversed, cells))
    kind = "generators never seen" if unseen else "dates of what was released next"
    number = len(networks if unseen else of_dates)
    several = f", over {number} networks" if number > 1 else ""
    headline = f"Shown above chance on {above} of {len(cells)} {kind}{several}"
    lines = unseen_lines(networks) if unseen else time_lines(of_dates)
    weight = "good" if above == len(cells) else "care" if above else "bad"
    if weight == "good" and explained(record):
        weight = "care"
    if turned:
        headline += f"; {turned} ranked the wrong way round"
    return Verdict(headline, " ".join(lines[:2]), weight)


def protocol_key_metrics(record: Generalisation) -> list[tuple[str, str, str]]:
    """Return (metric, what it is, what to add) of the metrics to look at first; none without."""
    found, in_time = untouched(unseen_generators(record)), untouched(in_order_of_time(record))
    shown = []
    if found:
        best = max(found, key=lambda of: of.mean.value)
        lowest = min(found, key=lambda of: _roc_auc(of.worst.without).value)
        worst = lowest.worst
        shown += [
            _key_metric(best.mean, f"mean ROC AUC, {_most('generators never seen', found)}", best),
            _key_metric(_roc_auc(worst.without), f"lowest ROC AUC: {named(worst.value)}", lowest),
        ]
    if in_time:
        latest = max(in_time, key=lambda of: of.mean.value)
        shown.append(
            _key_metric(latest.mean, f"mean ROC AUC, {_most('released next', in_time)}", latest)
        )
    if not shown:
        return []
    cells = _protocol_cells(record)
    related = sum(cell.overlap.images for cell in cells)
    scored = sum(cell.images for cell in cells)
    left = f"{counted(related, 'image')} left out: seen, or made from one seen"
    return [*shown, (f"{scored:,}", "images scored, over all of these", left)]


def _most(words: str, found: Sequence[Unseen | InTime]) -> str:
    return f"{words}, best network" if len(found) > 1 else words


def _key_metric(estimate: Estimate, words: str, of: Unseen | InTime) -> tuple[str, str, str]:
    interval = with_interval(estimate).partition(" ")[2].strip("()")
    return f"{estimate.value:.3f}", words, f"{named(of.model)}, {interval}"


def _protocol_cells(record: Generalisation) -> list[SetScores]:
    """Return the cells of both protocols, of pictures as they are where there are such."""
    cells = [out.without for of in untouched(unseen_generators(record)) for out in of.outs]
    return cells + [step.cell for of in untouched(in_order_of_time(record)) for step in of.steps]


def explained(record: Generalisation) -> list[str]:
    """Return the generators whose ROC AUC is not above what metadata alone score of them."""
    cells = filter(is_within_floor, _protocol_cells(record))
    several = len({cell.data.partition(": ")[0] for cell in _protocol_cells(record)}) > 1
    return list(dict.fromkeys(c.data if several else c.data.partition(": ")[2] for c in cells))


def _who(model: str, data: str) -> str:
    return f"{named(model)} on {named(data)}"


def _roc_auc(cell: SetScores) -> Estimate:
    return cell.estimates["roc_auc"]


def _floor(cell: SetScores) -> Estimate | None:
    return cell.floor.estimate if cell.floor else None


_NEVER_SEEN = ("o", plotting.TEST_COLOUR, "never saw it")
_TRAINED_WITH = ("s", plotting.VALID_COLOUR, "trained with it")
_METADATA = ("D", plotting.CLASS_COLOURS[1], "metadata alone")
_LETTERS = 24


def draw_unseen(record: Generalisation, path: Path) -> None:
    """Draw ROC AUC of each generator, never seen and trained with, beside what metadata score."""
    found = unseen_generators(record)
    height = sum(0.9 + 0.62 * len(of.outs) for of in found) + 0.5
    words = "with 95 % intervals; worst first; dashed: chance"
    figure = plotting.new_figure("Generators left out of training", words, height)
    lows = []
    rows = figure.subplots(
        len(found), 1, squeeze=False, height_ratios=[len(of.outs) for of in found]
    )
    for of, axes in zip(found, rows[:, 0], strict=True):
        axes.axvline(0.5, linestyle="--", color=plotting.PALE_INK, linewidth=1.2)
        estimates_of: dict[tuple[str, str, str], tuple[float, list[Estimate | None]]] = {
            _NEVER_SEEN: (-0.2, [_roc_auc(out.without) for out in of.outs]),
            _TRAINED_WITH: (0.02, [_seen(out) for out in of.outs]),
            _METADATA: (0.24, [_floor(out.without) for out in of.outs]),
        }
        for look, (shift, estimates) in estimates_of.items():
            placed = {y + shift: estimate for y, estimate in enumerate(estimates)}
            plotting.draw_estimates(axes, placed, look)
            lows += [estimate.low for estimate in estimates if estimate]
        names = [
            f"{plotting.broken(named(out.value), _LETTERS, 2)}\n{format_images(out.without)}"
            for out in of.outs
        ]
        plotting.dress(axes, "ROC AUC", "")
        axes.set_yticks(range(len(names)), [plotting.plain(name) for name in names])
        axes.tick_params(axis="y", labelsize=9)
        axes.set_ylim(len(names) - 0.5, -0.5)
        title = plotting.plain(_who(of.model, of.data))
        axes.set_title(title, loc="left", fontsize=plotting.SMALL_POINTS, color=plotting.INK)
    for axes in rows[:, 0]:
        axes.set_xlim(min(0.45, *lows) - 0.02, 1.01)
    marks, labels = rows[0, 0].get_legend_handles_labels()
    figure.legend(marks, labels, loc="outside lower center", ncols=3, fontsize=9.5, frameon=False)
    drawing.save(figure, path)


#: Of two labels beside one another.
_LONGEST_LABEL = 40


def _legend(figure: Figure, labels: Sequence[str]) -> None:
    """Explain the lines below the axes, two beside one another where they are short."""
    columns = 1 if max(map(len, labels)) > _LONGEST_LABEL else 2
    figure.legend(loc="outside lower center", ncols=columns, fontsize=9.5, frameon=False)


def draw_front(record: Generalisation, path: Path) -> None:
    """Draw the ROC AUC of each network's worst generator, and its mean, against what it cost."""
    found = [of for of in unseen_generators(record) if of.cold_seconds]
    words = "filled: worst generator, hollow: mean over generators; with 95 % intervals"
    figure = plotting.new_figure("Who generalises, and at what cost", words, 4.6)
    axes = figure.add_subplot()
    axes.axhline(0.5, linestyle="--", color=plotting.PALE_INK, linewidth=1.2)
    axis = time_axis(of.cold_seconds or 0.0 for of in found)
    for rank, of in enumerate(found, start=1):
        look = mark(rank)
        for estimate, fill, shift in (
            (_roc_auc(of.worst.without), look.colour, 0.985),
            (of.mean, "white", 1.015),
        ):
            axes.errorbar(
                [(of.cold_seconds or 0.0) * shift],
                [estimate.value],
                yerr=plotting.error_ends([estimate]),
                marker=look.marker,
                color=look.colour,
                markerfacecolor=fill,
                markersize=8,
                capsize=3,
                label=plotting.plain(_who(of.model, of.data)) if fill == look.colour else None,
            )
    axes.set_xscale("log")
    plotting.dress(axes, "Cost of the study from a cold start", "ROC AUC, never seen")
    axes.set_xlim(axis.low, axis.high)
    axes.set_xticks(axis.ticks, axis.texts)
    axes.set_xticks([], minor=True)
    _legend(figure, [_who(of.model, of.data) for of in found])
    drawing.save(figure, path)


def draw_in_time(record: Generalisation, path: Path) -> None:
    """Draw ROC AUC on what was released next, by date, a line a network."""
    found = in_order_of_time(record)
    words = "trained on all that was released before; with 95 % intervals; dashed: chance"
    figure = plotting.new_figure("What was released next", words, 4.2)
    axes = figure.add_subplot()
    axes.axhline(0.5, linestyle="--", color=plotting.PALE_INK, linewidth=1.2)
    dates = sorted({step.released for of in found for step in of.steps})
    for number, of in enumerate(found):
        look = mark(number + 1)
        shift = 0.12 * (number - (len(found) - 1) / 2)
        places = [dates.index(step.released) + shift for step in of.steps]
        estimates = [_roc_auc(step.cell) for step in of.steps]
        axes.errorbar(
            places,
            [estimate.value for estimate in estimates],
            yerr=plotting.error_ends(estimates),
            marker=look.marker,
            color=look.colour,
            linestyle=look.line,
            markersize=7,
            capsize=3,
            label=plotting.plain(_who(of.model, of.data)),
        )
    floors = {
        step.released: _floor(step.cell) for of in found for step in of.steps if step.cell.floor
    }
    axes.plot(
        [dates.index(date) for date in floors],
        [floor.value for floor in floors.values() if floor],
        linestyle="",
        marker="_",
        markersize=26,
        markeredgewidth=2.4,
        color=plotting.PALE_INK,
        label="metadata alone",
    )
    steps = {step.released: step for of in found for step in of.steps}
    names = [
        f"{date}\n{plotting.broken(named(', '.join(steps[date].generators)), 20, 2)}"
        for date in dates
    ]
    plotting.dress(axes, "Released", "ROC AUC")
    axes.set_xticks(range(len(dates)), [plotting.plain(name) for name in names])
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlim(-0.5, len(dates) - 0.5)
    _legend(figure, [_who(of.model, of.data) for of in found])
    drawing.save(figure, path)
