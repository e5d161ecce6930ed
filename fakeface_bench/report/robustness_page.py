"""All files of a test of robustness: tables, curves, and the page within a single HTML file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor
from pathlib import Path
from types import SimpleNamespace as Record
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import (
    CHANCE,
    CurvePoint,
    ModelRobustness,
    Robustness,
    SeverityCurve,
)
from fakeface_bench.report import drawing, plotting
from fakeface_bench.report.comparison_plots import Mark, mark
from fakeface_bench.report.format import (
    data_of,
    described,
    escaped,
    format_test_images,
    label_of,
    listed,
    signed,
    with_interval,
)
from fakeface_bench.report.page import Verdict, page_environment, page_picture
from fakeface_bench.report.saved_study import few_images_warning
from fakeface_bench.report.table import (
    COUNT,
    ESTIMATE,
    FIGURE,
    NAME,
    WORDS,
    Column,
    Format,
    Table,
    only_csv,
    only_text,
    write_csv,
)
from fakeface_bench.support.text import visible

_COLUMNS = 2
_ROW_INCHES = 1.95
_LEGEND_ROW_INCHES = 0.21
_TOP = 1.02


@dataclass(frozen=True, slots=True)
class _Metric:
    """What the curves are of; `baseline` is what needs no eyes, and its name."""

    title: str
    axis: str
    of_point: Callable[[CurvePoint], Estimate]
    baseline: float
    baseline_name: str


def draw_roc_auc_curves(robustness: Robustness, path: Path) -> None:
    """Draw ROC AUC over the severities of every corruption."""
    title = "ROC AUC under corruption"
    metric = _Metric(title, "ROC AUC", lambda point: point.roc_auc, CHANCE, "chance")
    _draw(robustness, metric, path)


def draw_accuracy_curves(robustness: Robustness, path: Path) -> None:
    """Draw accuracy at each model's own threshold over the severities of every corruption."""
    title = "Accuracy under corruption, at each model's own threshold"
    base = robustness.larger_class
    name = "always predicting the larger class"
    _draw(robustness, _Metric(title, "Accuracy", lambda point: point.accuracy, base, name), path)


def _draw(robustness: Robustness, metric: _Metric, path: Path) -> None:
    curves = robustness.models[0].curves
    rows = -(-len(curves) // _COLUMNS)
    legend_rows = -(-(len(robustness.models) + 1) // _COLUMNS) + 1
    height = _ROW_INCHES * rows + _LEGEND_ROW_INCHES * legend_rows
    figure = plotting.new_figure(metric.title, described(robustness), height)
    panels = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    for number, (axes, curve) in enumerate(zip(panels, curves, strict=False)):
        axes.axhline(metric.baseline, color=plotting.PALE_INK, ls=":", lw=1.4, zorder=1)
        for rank, model in enumerate(robustness.models, start=1):
            _draw_curve(axes, model.curves[number], metric, mark(rank))
        _dress(axes, curve, metric.axis if number % _COLUMNS == 0 else "")
    panels[0].set_ylim(_bottom(robustness, metric), _TOP)
    plotting.legend_below(figure, _marks(robustness, metric), _COLUMNS)
    drawing.save(figure, path)


def _marks(robustness: Robustness, metric: _Metric) -> list[tuple[str, Line2D]]:
    """Return the models' names and marks and, last, the baseline's."""
    marks = []
    for rank, model in enumerate(robustness.models, start=1):
        look = mark(rank)
        line = Line2D([], [], color=look.colour, marker=look.marker, markersize=7, ls=look.line)
        marks.append((label_of(model), line))
    baseline = Line2D([], [], color=plotting.PALE_INK, linestyle=":", linewidth=1.4)
    return [*marks, (metric.baseline_name, baseline)]


def _draw_curve(axes: Axes, curve: SeverityCurve, metric: _Metric, look: Mark) -> None:
    steps = [point.step for point in curve.points]
    estimates = [metric.of_point(point) for point in curve.points]
    low, high = ([e.low for e in estimates], [e.high for e in estimates])
    axes.fill_between(steps, low, high, color=look.colour, alpha=0.22, linewidth=0, zorder=2)
    values = [e.value for e in estimates]
    axes.plot(steps, values, look.line, color=look.colour, linewidth=1.6, zorder=3)
    axes.plot(steps, values, look.marker, color=look.colour, markersize=5, zorder=4)


def _dress(axes: Axes, curve: SeverityCurve, y_label: str) -> None:
    plotting.dress(axes, curve.axis, y_label)
    axes.xaxis.label.set(fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK)
    title = axes.set_title(curve.title, loc="left")
    title.set(fontsize=plotting.LABEL_POINTS, color=plotting.INK, family=plotting.FONT)
    steps = [point.step for point in curve.points]
    axes.set_xticks(steps, [point.label for point in curve.points])
    axes.set_xlim(min(steps) - 0.25, max(steps) + 0.25)
    axes.axvline(0, color="#BDBDBD", linewidth=0.9, zorder=0)


def _bottom(robustness: Robustness, metric: _Metric) -> float:
    """Return the lower end of all panels: below chance and every interval, at a multiple of 0.1."""
    lowest = min(
        metric.of_point(point).low
        for model in robustness.models
        for curve in model.curves
        for point in curve.points
    )
    return max(0.0, floor(10 * min(lowest, metric.baseline) - 0.2) / 10)


_MODEL_INCHES = 0.62
_AROUND_INCHES = 1.25
#: Of a model's row, between the two estimates.
_APART = 0.17


def draw_summary(robustness: Robustness, path: Path) -> None:
    """Draw each model's mean ROC AUC over corruptions, and that of untouched pictures above it."""
    models = robustness.models
    height = _AROUND_INCHES + _MODEL_INCHES * len(models)
    words = f"{described(robustness)}\nfilled: mean of all corruptions; hollow: untouched pictures"
    figure = plotting.new_figure("What a model keeps on corrupted pictures", words, height)
    axes = figure.add_subplot()
    axes.axvline(CHANCE, color=plotting.PALE_INK, linestyle=":", linewidth=1.4, zorder=1)
    for number, model in enumerate(models):
        _draw_estimate(axes, model.roc_auc, number - _APART, number + 1, hollow=True)
        _draw_estimate(axes, model.mean_roc_auc, number + _APART, number + 1, hollow=False)
    plotting.dress(axes, "ROC AUC (dotted: chance)", "")
    names = [plotting.plain(_broken(label_of(model))) for model in models]
    axes.set_yticks(range(len(models)), names)
    for text in axes.get_yticklabels():
        text.set(parse_math=False, family=plotting.FONT)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.set_xlim(_left(robustness), 1.01)
    drawing.save(figure, path)


def _draw_estimate(axes: Axes, estimate: Estimate, y: float, rank: int, hollow: bool) -> None:
    look = mark(rank)
    axes.errorbar(
        [estimate.value],
        [y],
        xerr=plotting.error_ends([estimate]),
        fmt=look.marker,
        color=look.colour,
        markerfacecolor="white" if hollow else look.colour,
        markersize=9,
        capsize=4,
        elinewidth=1.6,
        zorder=3,
    )


def _left(robustness: Robustness) -> float:
    lows = [low for m in robustness.models for low in (m.roc_auc.low, m.mean_roc_auc.low)]
    return max(0.0, floor(20 * min(*lows, CHANCE) - 0.2) / 20)


def _broken(label: str) -> str:
    """Break a long name after its comma: the axis has room for half a line."""
    return label.replace(", ", ",\n", 1)


_UNTOUCHED = "untouched"
_ALL = "all corruptions"
_AT_BASE_RATE = "accuracy at base rate"


def robustness_verdict(robustness: Robustness) -> Verdict:
    """Say how far ROC AUC of the best model, or the only one, falls, and what costs most."""
    best = robustness.best
    several = len(robustness.models) > 1
    begin = " has the highest mean ROC AUC:" if several else ": mean ROC AUC"
    curve, fallen = best.costliest, _at_chance(best)
    headline = (
        f"{label_of(best)}{begin} {best.mean_roc_auc.value:.3f} over {len(best.curves)} "
        f"corruptions, {best.roc_auc.value:.3f} on untouched pictures"
    )
    paragraph = (
        f"Costliest corruption: {curve.title}, {with_interval(curve.cost, first=True)} of ROC AUC; "
        f"at chance at {len(fallen)} of {len(best.points)} severities."
    )
    weight = "bad" if _is_lost(best) else "care" if fallen else "note"
    return Verdict(headline, paragraph, weight)


def robustness_warnings(robustness: Robustness) -> list[str]:
    """Return what a reader must not miss, a line each."""
    models = robustness.models
    named = {
        "Not shown to beat chance on untouched pictures, so curves say nothing": filter(
            _is_lost, models
        ),
        "Trained on images that are not known, maybe on these": (
            model for model in models if model.model.images_seen is None
        ),
        "Not shown to be behind the best": filter(_may_equal, models),
        "Accuracy at base rate at some severity, though ROC AUC is above chance": (
            model
            for model in models
            if any(row.remark == _AT_BASE_RATE for row in _points(model, robustness))
        ),
    }
    labels = {words: [label_of(model) for model in of] for words, of in named.items()}
    lines = [f"{words}: {listed(of)}." for words, of in labels.items() if of]
    few = few_images_warning(robustness.images)
    return [*lines, f"{data_of(robustness)}: {few}"] if few else lines


def _rounded(of: Callable[[Any], Any]) -> Callable[[Estimate | None], float | None]:
    return lambda estimate: None if estimate is None else round(of(estimate), 6)


_ROUNDED = Format(with_interval, {end: _rounded(of) for end, of in ESTIMATE.csv.items()})
_OF_MODEL = (
    only_csv("model", "model.label", NAME),
    only_csv("address", "model.address", NAME),
    only_csv("corruption"),
)
_OF_POINTS = (
    only_text("title", "corruption", "title", WORDS),
    Column("severity", "severity", "at.label", FIGURE),
    only_csv("step", "at.step"),
    Column("roc_auc", "ROC AUC", "at.roc_auc", _ROUNDED),
    Column("accuracy", "accuracy", "at.accuracy", _ROUNDED),
    only_text("remark", "remark", "remark", WORDS),
)


def points_table(robustness: Robustness) -> Table:
    """Return a row a model and kind of picture, the untouched ones first."""
    records = [row for model in robustness.models for row in _points(model, robustness)]
    images = only_csv("images", lambda row: robustness.images)
    return Table((*_OF_MODEL, *_OF_POINTS, images), records)


def _points(model: ModelRobustness, robustness: Robustness) -> list[Record]:
    untouched = CurvePoint("", _UNTOUCHED, 0, model.roc_auc, model.accuracy)
    kinds = [(_UNTOUCHED, _UNTOUCHED, untouched)]
    kinds += [(curve.key, curve.title, at) for curve in model.curves for at in curve.corrupted]
    return [
        Record(
            model=model.model, corruption=key, title=title, at=at, remark=_remark(at, robustness)
        )
        for key, title, at in kinds
    ]


def _remark(point: CurvePoint, robustness: Robustness) -> str:
    if point.is_at_chance:
        return "at chance"
    return _AT_BASE_RATE if point.accuracy.low <= robustness.larger_class else ""


def _at_chance(model: ModelRobustness) -> list[CurvePoint]:
    return [point for point in model.points if point.is_at_chance]


def _is_lost(model: ModelRobustness) -> bool:
    return model.roc_auc.low <= CHANCE


def _may_equal(model: ModelRobustness) -> bool:
    """Whether a model is not the best, and not shown to be behind it."""
    return model.behind is not None and model.behind.low <= 0


def means_table(robustness: Robustness) -> Table:
    """Return a row a model and corruption, then one of all: mean ROC AUC, and what it cost."""
    rows = []
    for model in robustness.models:
        whole = (_ALL, model.mean_roc_auc, None, model.behind)
        means = [(curve.key, curve.roc_auc, curve.cost, None) for curve in model.curves]
        rows += [
            Record(model=model.model, corruption=key, roc_auc=mean, cost=cost, behind_best=behind)
            for key, mean, cost, behind in (*means, whole)
        ]
    is_behind = any(model.behind for model in robustness.models)
    names = ("roc_auc", "cost", "behind_best") if is_behind else ("roc_auc", "cost")
    return Table((*_OF_MODEL, *(only_csv(name, "", _ROUNDED) for name in names)), rows)


def robustness_table(robustness: Robustness) -> Table:
    """Return the short table: ROC AUC by corruption, a column a model."""
    models = robustness.models
    rows = [
        ("untouched", *(with_interval(model.roc_auc) for model in models)),
        ("mean of all corruptions", *(with_interval(model.mean_roc_auc) for model in models)),
    ]
    for number, curve in enumerate(models[0].curves):
        means = (with_interval(model.curves[number].roc_auc) for model in models)
        rows.append((_with_range(curve.title, curve.corrupted), *means))
    table = Table.of(("ROC AUC (95 %)", *(label_of(model) for model in models)), rows)
    first, *others = table.columns
    columns = (first, *(replace(column, is_name=True) for column in others))
    return replace(table, columns=columns, name="Mean ROC AUC by corruption")


def _with_range(title: str, points: tuple[CurvePoint, ...]) -> str:
    """Return a corruption with its severities: `JPEG, 95 to 30`."""
    first, last = points[0].label, points[-1].label
    return f"{title}, {first}" if len(points) == 1 else f"{title}, {first} to {last}"


def worst_table(robustness: Robustness) -> Table:
    """Return a row a model: what costs it most, how often it is at chance, and lowest accuracy."""
    columns = (
        only_text("model", "model", label_of, WORDS),
        only_text("costliest", "costliest corruption", "costliest.title", WORDS),
        only_text("cost", "its cost", "costliest.cost", ESTIMATE),
        only_text("at_chance", "at chance", lambda m: f"{len(_at_chance(m))} of {len(m.points)}"),
        only_text("lowest", "lowest accuracy", lambda m: _least_accurate(m).accuracy, ESTIMATE),
        only_text("where", "where", lambda m: _least_accurate(m).description, WORDS),
    )
    return Table(columns, robustness.models, name="Worst of each model")


def _least_accurate(model: ModelRobustness) -> CurvePoint:
    return min(model.points, key=lambda point: point.accuracy.value)


def robustness_markdown(robustness: Robustness) -> str:
    """Return the verdict, its warnings, mean ROC AUC by corruption, and each model's worst."""
    verdict = robustness_verdict(robustness)
    parts = [
        f"**{escaped(verdict.headline)}.**",
        escaped(verdict.paragraph),
        *(f"**Warning:** {escaped(line)}" for line in robustness_warnings(robustness)),
        escaped(f"Scored: {format_test_images(robustness)}."),
        robustness_table(robustness).markdown(),
        worst_table(robustness).markdown(),
    ]
    return "\n\n".join(parts) + "\n"


_TERMS = (
    ("Corruption", "Something that happens to pictures on their way: saved again, scaled, blurred. "
     "It acts on the decoded picture at its own size, before the picture meets the network's "
     "input, and on real and fake images alike."),
    ("Mean over corruptions", "First over the severities of each corruption, then over the "
     "corruptions: each counts the same, however many severities it has."),
    ("Cost", "ROC AUC of the untouched pictures less the mean under a corruption."),
    ("95 % interval", "Over images, from 1000 bootstrap resamples that all models, corruptions and "
     "severities share. It covers neither another training nor another dataset. Where every pair "
     "is in order it shrinks to (1, 1): that is the method's limit, not certainty."),
    ("At chance", "The interval of ROC AUC reaches down to 0.5: nothing shows that the model tells "
     "the classes apart. Where that holds on untouched pictures, curves say nothing."),
    ("Accuracy at base rate", "It is not shown to be better than predicting the larger class for "
     "every image, though ROC AUC is above chance: often the scores have moved, the order has not. "
     "Accuracy is at the threshold that each model chose on images held out in its study."),
    ("Sharing online", "Imitates a picture that was saved as a JPEG of quality 90, cropped so that "
     "the second JPEG's blocks lie half a block off, brought to at most 1080 pixels on its longer "
     "side, and saved again by a social network."),
)  # fmt: skip


def _key_metrics(robustness: Robustness) -> list[tuple[str, str, str]]:
    """Return the four numbers at the top of the page; of the best model where there are several."""
    best = robustness.best
    curve, fallen = best.costliest, _at_chance(best)
    of = label_of(best) if len(robustness.models) > 1 else _range(best.mean_roc_auc)
    first = fallen[0].description if fallen else "nowhere does its interval reach 0.5"
    return [
        (f"{best.mean_roc_auc.value:.3f}", "mean ROC AUC over corruptions", of),
        (f"{best.roc_auc.value:.3f}", "ROC AUC on untouched pictures", _range(best.roc_auc)),
        (signed(curve.cost.value, 3), f"lost to {curve.title}, the costliest", _range(curve.cost)),
        (str(len(fallen)), f"of {len(best.points)} severities at chance", first),
    ]


def _range(estimate: Estimate) -> str:
    return f"95 % {signed(estimate.low, 3)} to {signed(estimate.high, 3)}"


def _models_table(robustness: Robustness) -> Table:
    """Return a row a model, in the order asked for; the best is marked."""
    models = robustness.models
    marked = frozenset({models.index(robustness.best)} if len(models) > 1 else ())
    note = (
        "Left out are test images that the model saw in training, or copies of them; no model is "
        "scored on what any of them saw."
    )
    columns = (
        only_text("model", "model", label_of, WORDS),
        only_text("trained_on", "trained on", "model.data", NAME),
        only_text("untouched", "untouched", "roc_auc", ESTIMATE),
        only_text("mean", "mean of corruptions", "mean_roc_auc", ESTIMATE),
        only_text("behind", "behind the best", "behind", ESTIMATE),
        only_text("shown", "remark", lambda model: _remark_of_model(model, robustness), WORDS),
        only_text("left_out", "left out", "overlap.images", COUNT),
    )
    return Table(columns, models, note=note, name="Models", marked=marked)


def _remark_of_model(model: ModelRobustness, robustness: Robustness) -> str:
    if _is_lost(model):
        return "at chance untouched"
    if model.behind is None:
        return ""
    return "not shown behind" if _may_equal(model) else "behind"


def _model_points(model: ModelRobustness, robustness: Robustness) -> Table:
    """Return every metric of a model; a row with a remark is marked."""
    points = _points(model, robustness)
    marked = frozenset(number for number, row in enumerate(points) if row.remark)
    return Table(_OF_POINTS, points, label_of(model), marked=marked)


def _about(robustness: Robustness) -> list[tuple[str, str]]:
    return [
        ("Test set", f"{visible(robustness.data)} ({robustness.chosen})"),
        ("Images", f"{robustness.real:,} real, {robustness.fake:,} fake"),
        ("Digest", robustness.digest),
        ("Seed of the noise", str(robustness.seed)),
    ]


def _write_page(robustness: Robustness, folder: Path, files: list[str]) -> None:
    """Write `report.html`; the pictures are drawn, `files` lie beside it."""
    models = robustness.models
    on = f"{label_of(models[0])} on {data_of(robustness)}"
    template = page_environment().get_template("robustness.html")
    content = template.render(
        title=on if len(models) == 1 else data_of(robustness),
        verdict=robustness_verdict(robustness),
        warnings=robustness_warnings(robustness),
        key_metrics=_key_metrics(robustness),
        models=_models_table(robustness),
        pictures={
            name: page_picture(folder / f"{name}.png", alt) for name, (_, alt) in _PICTURES.items()
        },
        means=robustness_table(robustness),
        worst=worst_table(robustness),
        points=[_model_points(model, robustness) for model in models],
        terms=_TERMS,
        about=_about(robustness),
        files=files,
    )
    (folder / "report.html").write_text(content, encoding="utf-8")


_TABLES = {"robustness.csv": points_table, "corruptions.csv": means_table}
#: By name: what draws the picture, and what it shows for those who cannot see it.
_PICTURES: dict[str, tuple[Callable[[Robustness, Path], None], str]] = {
    "summary": (draw_summary, "Mean ROC AUC of each model over all corruptions"),
    "curves": (draw_roc_auc_curves, "ROC AUC by severity, a panel a corruption"),
    "accuracy_curves": (draw_accuracy_curves, "Accuracy by severity, a panel a corruption"),
}


def write_robustness_report(robustness: Robustness, folder: Path) -> None:
    """Write `report.html`, `robustness.md`, the CSV tables and the pictures.

    Files of an earlier report in the same folder are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table_of in _TABLES.items():
        write_csv(table_of(robustness), folder / name)
    text = robustness_markdown(robustness)
    (folder / "robustness.md").write_text(text, encoding="utf-8")
    for name, (draw, _) in _PICTURES.items():
        draw(robustness, folder / f"{name}.png")
    pictures = [f"{name}.png" for name in _PICTURES]
    _write_page(robustness, folder, sorted([*_TABLES, *pictures, "robustness.md"]))
