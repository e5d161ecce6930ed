"""The tables of a comparison's page, its key figures and the words that explain them."""

from collections.abc import Sequence

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.rows import (
    STEPS_HEADER,
    Rows,
    cost_rows,
    quality_rows,
    step_rows,
    told,
    unmeasured_told,
)
from fakeface_bench.report.comparison.steps import Step
from fakeface_bench.report.comparison.units import UNKNOWN, cost, percent_right, sentence_end
from fakeface_bench.report.page import PageTable
from fakeface_bench.report.wording import prose
from fakeface_bench.visible import elided

_LONGEST_REASON = 300
#: What each word means, on the page.
TERMS = (
    ("Cold cost", "Seconds of a study as if nothing had been cached and its search had run in one "
     "go: what earlier runs spent on it is charged too, and trials that failed or were killed are "
     "charged too. All comparisons use this one."),
    ("Warm cost", "Wall clock of the run itself, which found some of its work done."),
    ("This run", "Energy and peak memory are of the last run itself, as it ran: what it found "
     "done is not in them, so they are no cold cost."),
    ("Amortised", "The part of the cold cost that earlier runs spent."),
    ("95 % interval", "The middle 95 % of 1,000 stratified bootstrap resamples of the test images, "
     "the same for all models; of a study with several seeds, the seeds are drawn anew too. "
     "Accuracy of one seed has the Wilson interval, as in the study's own table. It covers neither "
     "another dataset nor, of a study with one seed, another training run. Where every resample "
     "agrees, as where all calls are right, other figures shrink to a point: that is the method's "
     "limit, not certainty."),
    ("Validation accuracy", "In the curves it is at threshold 0.5, epoch by epoch; in the tables "
     "every accuracy is at the study's own threshold, chosen on validation."),
    ("Difference", "Of two models on the same resamples, so that images hard for both do not "
     "count as a difference. One point is one per cent of the test images."),
    ("McNemar's test", "Exact and two-sided, on the images that one of two kept models alone "
     "called rightly: could both be equally accurate?"),
    ("Holm's adjustment", "Raises the p values of tests made together, here of all pairs of "
     "both tables, so that chance alone calls one or more of them shown on at most 5 % of such "
     "pages. Below 0.05 the difference is shown; where either study has several seeds, only if "
     "the interval of the difference of their means lies above 0 as well."),
    ("Not shown", "These images do not tell the two apart well enough. It is not proof that they "
     "are equal; the interval says how far apart they may be. A tie is said only where it "
     "includes 0."),
    ("Front", "The studies that no other beats in cost and accuracy at once."),
    ("Time to ROC AUC", "Cold seconds until it was first reached on validation; ∞ where it "
     "never was."),
)  # fmt: skip


def quality_table(comparison: Comparison) -> PageTable:
    """Return figures and costs; the recommended study stands out."""
    header, cells = quality_rows(comparison)
    place = comparison.standings.index(comparison.recommended)
    marked = frozenset({place}) if len(cells) > 1 else frozenset()
    note = "The study in colour is the one to take." if marked else ""
    rows = [(label, *map(_breakable_once, texts)) for label, *texts in cells]
    return _table("Accuracy and cost", header, rows, note=note, marked=marked)


def cost_table(comparison: Comparison) -> PageTable:
    """Return the time to each target, sizes and speeds."""
    header, cells = cost_rows(comparison)
    rows = [(label, *map(_breakable_once, texts)) for label, *texts in cells]
    title = "Time to validation ROC AUC, size and speed"
    return _table(title, header, rows, note=" ".join(unmeasured_told(comparison)))


def steps_table(title: str, steps: Sequence[Step], empty: str) -> PageTable:
    """Return the steps; `empty` is said where there is none."""
    return _table(title, STEPS_HEADER, step_rows(steps), "" if steps else empty)


def left_out_table(comparison: Comparison) -> PageTable:
    """Return what was not compared, and why."""
    rows = [
        (
            elided(out.name),
            sentence_end(prose(out.reason, _LONGEST_REASON)),
            elided(out.run_id) or UNKNOWN,
        )
        for out in comparison.left_out
    ]
    columns, empty = ("Study", "Why", "Run"), "No study was left out."
    long = frozenset({0, 1, 2})
    return PageTable(
        "", columns, tuple(rows), long=long, note="" if rows else empty, name="Left out"
    )


def runs_table(comparison: Comparison) -> PageTable:
    """Return which run each study is, and what it ran on."""
    keys = ("run_id", "study", "data", "weights", "trained")
    rows = [
        (
            standing.label,
            *(elided(getattr(standing.study.identity, key)) or UNKNOWN for key in keys),
            ", ".join(str(scores.seed) for scores in standing.study.seeds),
            f"{standing.study.trials:,}" if standing.study.trials else UNKNOWN,
            elided(standing.study.machine) or UNKNOWN,
        )
        for standing in comparison.standings
    ]
    header = (
        *("Model", "MLflow run", "Study", "Data", "Weights", "Trained"),
        *("Seeds", "Trials", "Machine"),
    )
    long = frozenset({1, 2, 3, 4, 5, 8})
    return PageTable("", header, tuple(rows), long=long, name="Runs")


def key_figures(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what to add) of the four figures to look at first."""
    best, chosen = comparison.best, comparison.recommended
    reals, fakes = ((best.study.y_true == label).sum() for label in range(2))
    front = sum(standing.on_front for standing in comparison.standings)
    count = len(comparison.standings)
    return [
        (percent_right(best.accuracy.value), "best test accuracy", best.label),
        (
            cost(chosen.study.ledger, chosen.cold_seconds, short=True),
            "cold cost of the one to take" if count > 1 else "cold cost",
            f"{chosen.label}, ROC AUC {told(chosen.roc_auc)}",
        ),
        (
            f"{front} of {count}",
            "studies on the front",
            f"{len(comparison.left_out)} left out",
        ),
        (
            f"{comparison.images:,}",
            "test images",
            f"{reals:,} {CLASS_NAMES[0]}, {fakes:,} {CLASS_NAMES[1]}; "
            f"{len(comparison.agreement.wrong_by_all):,} wrong by all",
        ),
    ]


def _breakable_once(text: str) -> str:
    """Let a figure break before its bracket alone, where a table is short of room."""
    figure, bracket, rest = text.partition(" (")
    return _unbroken(figure) + bracket + _unbroken(rest)


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _table(
    title: str,
    header: Sequence[str],
    rows: Rows,
    note: str = "",
    marked: frozenset[int] = frozenset(),
) -> PageTable:
    heads = (
        name if name.startswith("p,") or name == "p" else name[0].upper() + name[1:]
        for name in header
    )
    columns = tuple(
        head.replace("To 0", _unbroken("To 0")).replace("(95 %)", _unbroken("(95 %)"))
        for head in heads
    )
    numbers = frozenset(
        n for n, name in enumerate(header) if name not in ("model", "from", "to", "more accurate?")
    )
    return PageTable(title, columns, tuple(rows), numbers, marked=marked, note=note)
