"""The numbers and tables of the page of a test of robustness."""

from collections.abc import Sequence

from fakeface_bench.records import Estimate
from fakeface_bench.records.robustness import ModelRobustness, Robustness
from fakeface_bench.report.comparison.units import UNKNOWN, signed
from fakeface_bench.report.page import PageTable
from fakeface_bench.report.robustness.tables import robustness_rows
from fakeface_bench.report.robustness.told import LONGEST_LABEL, estimate, label_of
from fakeface_bench.report.robustness.verdict import at_chance, named
from fakeface_bench.visible import elided, visible

TERMS = (
    (
        "Corruption",
        "Something that happens to pictures on their way: saved anew, scaled, blurred. It acts on "
        "the decoded picture at its own size, before the picture meets the network's input, and on "
        "real and fake images alike.",
    ),
    (
        "Mean over corruptions",
        "First over the severities of each corruption, then over the corruptions: each counts the "
        "same, however many severities it has.",
    ),
    (
        "Costs",
        "ROC AUC of the untouched pictures less the mean under a corruption.",
    ),
    (
        "95 % interval",
        "Over images, from 1000 bootstrap resamples that all models, corruptions and severities "
        "share. It covers neither another training nor another dataset. Where every pair is in "
        "order it shrinks to (1, 1): that is the method's limit, not certainty.",
    ),
    (
        "Falls to chance",
        "The interval of ROC AUC reaches down to 0.5: nothing shows that the model tells the "
        "classes apart.",
    ),
    (
        "Sharing online",
        "Imitates a picture that was saved as a JPEG of quality 90, cropped a little so that the "
        "second JPEG's blocks lie half a block off, brought to at most 1080 pixels on its longer "
        "side, and saved again by a social network.",
    ),
    (
        "Accuracy",
        "At the threshold that each model chose on its own untouched validation images. Where it "
        "falls and ROC AUC does not, the scores have moved and the order has not.",
    ),
)


def key_figures(robustness: Robustness) -> list[tuple[str, str, str]]:
    """Return the four numbers at the top of the page; of the best model where there are several."""
    best = robustness.best
    curve, fallen = best.costliest, at_chance(best)
    of = label_of(best) if len(robustness.models) > 1 else ""
    first = fallen[0].told if fallen else "nowhere does its interval reach 0.5"
    return [
        (
            f"{best.mean_roc_auc.value:.3f}",
            "mean ROC AUC over corruptions",
            of or _range(best.mean_roc_auc),
        ),
        (f"{best.roc_auc.value:.3f}", "ROC AUC on untouched pictures", _range(best.roc_auc)),
        (
            signed(curve.cost.value, 3),
            f"lost to {named(curve.title)}, the costliest",
            _range(curve.cost),
        ),
        (str(len(fallen)), f"of {len(best.points)} severities at chance", first),
    ]


def models_table(robustness: Robustness) -> PageTable:
    """Return a row a model, in the order asked for; the best is marked."""
    columns = (
        "Model",
        "Trained on",
        "Untouched",
        "Mean of corruptions",
        "Behind the best",
        "Left out",
    )
    rows = [_model_row(model) for model in robustness.models]
    marked = frozenset({robustness.models.index(robustness.best)} if len(rows) > 1 else ())
    note = (
        "Left out are test images that the model saw in training, or copies of them; no model is "
        "scored on what any of them saw."
    )
    return PageTable(
        "", columns, tuple(rows), frozenset({2, 3, 4, 5}), frozenset(), marked, note, "Models"
    )


def means_table(robustness: Robustness) -> PageTable:
    """Return mean ROC AUC by corruption, a column a model."""
    (_, *names), rows = robustness_rows(robustness)
    columns = ("Corruption and severities", *names)
    numbers = frozenset(range(1, len(columns)))
    return PageTable("", columns, tuple(rows), numbers, name="Mean ROC AUC by corruption")


def points_tables(robustness: Robustness) -> list[PageTable]:
    """Return every figure, a table a model."""
    return [_points_table(model) for model in robustness.models]


def about(robustness: Robustness) -> Sequence[tuple[str, str]]:
    """Return what was scored, for the list at the page's end."""
    return [
        ("Test set", f"{visible(robustness.data)} ({robustness.chosen})"),
        ("Images", f"{robustness.real:,} real, {robustness.fake:,} fake"),
        ("Digest", robustness.digest),
        ("Seed of the noise", str(robustness.seed)),
    ]


def _model_row(model: ModelRobustness) -> tuple[str, ...]:
    behind = UNKNOWN if model.behind is None else estimate(model.behind)
    trained_on = elided(model.model.data, LONGEST_LABEL) or UNKNOWN
    figures = (estimate(model.roc_auc), estimate(model.mean_roc_auc))
    return (label_of(model), trained_on, *figures, behind, f"{model.overlap.images:,}")


def _points_table(model: ModelRobustness) -> PageTable:
    columns = ("Corruption", "Severity", "ROC AUC", "Accuracy")
    rows = [("untouched", "", estimate(model.roc_auc), estimate(model.accuracy))]
    for curve in model.curves:
        for point in curve.corrupted:
            figures = (estimate(point.roc_auc), estimate(point.accuracy))
            rows.append((curve.title, point.label, *figures))
    fallen = {point.told for point in at_chance(model)}
    told = ["", *(point.told for point in model.points)]
    marked = frozenset(number for number, name in enumerate(told) if name in fallen)
    note = "Marked: falls to chance." if marked else ""
    numbers = frozenset({1, 2, 3})
    return PageTable(label_of(model), columns, tuple(rows), numbers, frozenset(), marked, note)


def _range(figure: Estimate) -> str:
    return f"95 % {signed(figure.low, 3)} to {signed(figure.high, 3)}"
