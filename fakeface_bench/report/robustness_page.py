"""All files of a test of robustness: the page, its tables, and what lies beside it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace as Record
from typing import Any

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import CurvePoint, ModelRobustness, Robustness
from fakeface_bench.report.format import (
    LONGEST_LABEL,
    UNKNOWN,
    data_of,
    escaped,
    label_of,
    signed,
    with_interval,
)
from fakeface_bench.report.page import page_environment, page_picture
from fakeface_bench.report.robustness_plots import (
    draw_accuracy_curves,
    draw_roc_auc_curves,
    draw_summary,
)
from fakeface_bench.report.robustness_text import at_chance, named, robustness_verdict
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
from fakeface_bench.support.text import elided, visible

_UNTOUCHED = "untouched"
_ALL = "all corruptions"


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
)


def points_table(robustness: Robustness) -> Table:
    """Return a row a model and kind of picture, the untouched ones first."""
    records = [row for model in robustness.models for row in _points(model)]
    images = only_csv("images", lambda row: robustness.images)
    return Table((*_OF_MODEL, *_OF_POINTS, images), records)


def _points(model: ModelRobustness) -> list[Record]:
    untouched = CurvePoint("", _UNTOUCHED, 0, model.roc_auc, model.accuracy)
    kinds = [(_UNTOUCHED, _UNTOUCHED, untouched)]
    kinds += [(curve.key, curve.title, at) for curve in model.curves for at in curve.corrupted]
    return [
        Record(model=model.model, corruption=key, title=title, at=at) for key, title, at in kinds
    ]


def means_table(robustness: Robustness) -> Table:
    """Return a row a model and corruption, then one of all: mean ROC AUC, and what it cost."""
    names = ["roc_auc", "cost", "behind_best"]
    if not any(model.behind for model in robustness.models):
        names.remove("behind_best")
    rows = []
    for model in robustness.models:
        means: list[tuple[str, tuple[Estimate | None, ...]]] = [
            (curve.key, (curve.roc_auc, curve.cost, None)) for curve in model.curves
        ]
        for key, of in (*means, (_ALL, (model.mean_roc_auc, None, model.behind))):
            figures = dict(zip(names, of, strict=False))
            rows.append(Record(model=model.model, corruption=key, **figures))
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
    return Table.of(("ROC AUC (95 %)", *(label_of(model) for model in models)), rows)


def _with_range(title: str, points: tuple[CurvePoint, ...]) -> str:
    """Return a corruption with its severities: `JPEG, 95 to 30`."""
    first, last = points[0].label, points[-1].label
    return f"{title}, {first}" if len(points) == 1 else f"{title}, {first} to {last}"


def robustness_markdown(robustness: Robustness) -> str:
    """Return the verdict, and mean ROC AUC by corruption."""
    verdict = robustness_verdict(robustness)
    description = [*verdict.paragraphs, *verdict.others]
    parts = [f"**{escaped(verdict.headline)}**", *map(escaped, description)]
    return "\n\n".join([*parts, robustness_table(robustness).markdown()]) + "\n"


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


def key_metrics(robustness: Robustness) -> list[tuple[str, str, str]]:
    """Return the four numbers at the top of the page; of the best model where there are several."""
    best = robustness.best
    curve, fallen = best.costliest, at_chance(best)
    of = label_of(best) if len(robustness.models) > 1 else ""
    first = fallen[0].description if fallen else "nowhere does its interval reach 0.5"
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


def models_table(robustness: Robustness) -> Table:
    """Return a row a model, in the order asked for; the best is marked."""
    models = robustness.models
    marked = frozenset({models.index(robustness.best)} if len(models) > 1 else ())
    note = (
        "Left out are test images that the model saw in training, or copies of them; no model is "
        "scored on what any of them saw."
    )
    columns = (
        only_text("model", "model", label_of, WORDS),
        only_text("trained_on", "trained on", _trained_on, WORDS),
        only_text("untouched", "untouched", "roc_auc", ESTIMATE),
        only_text("mean", "mean of corruptions", "mean_roc_auc", ESTIMATE),
        only_text("behind", "behind the best", "behind", ESTIMATE),
        only_text("left_out", "left out", "overlap.images", COUNT),
    )
    return Table(columns, models, note=note, name="Models", marked=marked)


def means_page_table(robustness: Robustness) -> Table:
    """Return mean ROC AUC by corruption, a column a model."""
    table = robustness_table(robustness)
    first, *others = table.columns
    columns = (
        replace(first, heading="corruption and severities"),
        *(replace(column, is_name=True) for column in others),
    )
    return replace(table, columns=columns, name="Mean ROC AUC by corruption")


def model_points(model: ModelRobustness) -> Table:
    """Return every figure of a model; what falls to chance is marked."""
    fallen = {point.description for point in at_chance(model)}
    description = ["", *(point.description for point in model.points)]
    marked = frozenset(number for number, name in enumerate(description) if name in fallen)
    note = "Marked: falls to chance." if marked else ""
    return Table(_OF_POINTS, _points(model), label_of(model), note, marked=marked)


def about(robustness: Robustness) -> Sequence[tuple[str, str]]:
    """Return what was scored, for the list at the page's end."""
    return [
        ("Test set", f"{visible(robustness.data)} ({robustness.chosen})"),
        ("Images", f"{robustness.real:,} real, {robustness.fake:,} fake"),
        ("Digest", robustness.digest),
        ("Seed of the noise", str(robustness.seed)),
    ]


def _trained_on(model: ModelRobustness) -> str:
    return elided(model.model.data, LONGEST_LABEL) or UNKNOWN


def _range(figure: Estimate) -> str:
    return f"95 % {signed(figure.low, 3)} to {signed(figure.high, 3)}"


def write_page(robustness: Robustness, folder: Path, files: list[str]) -> None:
    """Write `report.html` beside the pictures, which are already drawn.

    Args:
        robustness: What to show.
        folder: To write to, and where the pictures lie.
        files: What lies beside the page, for its last line.
    """
    models = robustness.models
    on = f"{label_of(models[0])} on {data_of(robustness)}"
    page = page_environment().get_template("robustness.html")
    content = page.render(
        title=on if len(models) == 1 else data_of(robustness),
        verdict=robustness_verdict(robustness),
        key_metrics=key_metrics(robustness),
        models=models_table(robustness),
        summary=page_picture(
            folder / "summary.png", "Mean ROC AUC of each model over all corruptions"
        ),
        curves=page_picture(folder / "curves.png", "ROC AUC by severity, a panel a corruption"),
        accuracy=page_picture(
            folder / "accuracy_curves.png", "Accuracy by severity, a panel a corruption"
        ),
        means=means_page_table(robustness),
        points=[model_points(model) for model in robustness.models],
        terms=TERMS,
        about=about(robustness),
        files=files,
    )
    (folder / "report.html").write_text(content, encoding="utf-8")


_TABLES = {"robustness.csv": points_table, "corruptions.csv": means_table}
_PICTURES = {
    "summary.png": draw_summary,
    "curves.png": draw_roc_auc_curves,
    "accuracy_curves.png": draw_accuracy_curves,
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
    for name, draw in _PICTURES.items():
        draw(robustness, folder / name)
    write_page(robustness, folder, sorted([*_TABLES, *_PICTURES, "robustness.md"]))
