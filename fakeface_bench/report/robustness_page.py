"""All files of a test of robustness: the page, its tables, and what lies beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import CurvePoint, ModelRobustness, Robustness
from fakeface_bench.report.audit_tables import write_table
from fakeface_bench.report.format import (
    LONGEST_LABEL,
    UNKNOWN,
    data_of,
    escaped,
    label_of,
    signed,
    table,
    with_interval,
)
from fakeface_bench.report.page import PageTable, page_environment, page_picture
from fakeface_bench.report.robustness_plots import (
    draw_accuracy_curves,
    draw_roc_auc_curves,
    draw_summary,
)
from fakeface_bench.report.robustness_text import at_chance, named, robustness_verdict
from fakeface_bench.support.text import elided, visible

_UNTOUCHED = "untouched"
_ALL = "all corruptions"


def points_table(robustness: Robustness) -> pd.DataFrame:
    """Return a row a model and kind of picture, the untouched ones first."""
    rows = [row for model in robustness.models for row in _points(model)]
    return pd.DataFrame(rows).assign(images=robustness.images)


def means_table(robustness: Robustness) -> pd.DataFrame:
    """Return a row a model and corruption, then one of all: mean ROC AUC, and what it cost."""
    rows = []
    for model in robustness.models:
        for curve in model.curves:
            figures = _columns("roc_auc", curve.roc_auc) | _columns("cost", curve.cost)
            rows.append(_named(model) | {"corruption": curve.key} | figures)
        behind = {} if model.behind is None else _columns("behind_best", model.behind)
        overall = _columns("roc_auc", model.mean_roc_auc) | behind
        rows.append(_named(model) | {"corruption": _ALL} | overall)
    return pd.DataFrame(rows)


def robustness_rows(robustness: Robustness) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the heads and rows of the short table: ROC AUC by corruption, a column a model."""
    models = robustness.models
    header = ("ROC AUC (95 %)", *(label_of(model) for model in models))
    rows = [
        ("untouched", *(with_interval(model.roc_auc) for model in models)),
        ("mean of all corruptions", *(with_interval(model.mean_roc_auc) for model in models)),
    ]
    for number, curve in enumerate(models[0].curves):
        means = (with_interval(model.curves[number].roc_auc) for model in models)
        rows.append((_with_range(curve.title, curve.corrupted), *means))
    return header, rows


def _with_range(title: str, points: tuple[CurvePoint, ...]) -> str:
    """Return a corruption with its severities: `JPEG, 95 to 30`."""
    first, last = points[0].label, points[-1].label
    return f"{title}, {first}" if len(points) == 1 else f"{title}, {first} to {last}"


def _points(model: ModelRobustness) -> Iterator[dict[str, object]]:
    untouched = _columns("roc_auc", model.roc_auc) | _columns("accuracy", model.accuracy)
    yield _point_row(model, _UNTOUCHED, "", 0) | untouched
    for curve in model.curves:
        for point in curve.corrupted:
            figures = _columns("roc_auc", point.roc_auc) | _columns("accuracy", point.accuracy)
            yield _point_row(model, curve.key, point.label, point.step) | figures


def _point_row(model: ModelRobustness, key: str, label: str, step: int) -> dict[str, object]:
    return _named(model) | {"corruption": key, "severity": label, "step": step}


def _named(model: ModelRobustness) -> dict[str, object]:
    return {"model": visible(model.model.label), "address": visible(model.model.address)}


def _columns(name: str, figure: Estimate) -> dict[str, object]:
    return {
        name: round(figure.value, 6),
        f"{name}_low_95": round(figure.low, 6),
        f"{name}_high_95": round(figure.high, 6),
    }


def robustness_markdown(robustness: Robustness) -> str:
    """Return the verdict, and mean ROC AUC by corruption."""
    verdict = robustness_verdict(robustness)
    told = [*verdict.paragraphs, *verdict.others]
    parts = [f"**{escaped(verdict.headline)}**", *map(escaped, told)]
    return "\n\n".join([*parts, table(*robustness_rows(robustness))]) + "\n"


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


def means_page_table(robustness: Robustness) -> PageTable:
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
    behind = UNKNOWN if model.behind is None else with_interval(model.behind)
    trained_on = elided(model.model.data, LONGEST_LABEL) or UNKNOWN
    figures = (with_interval(model.roc_auc), with_interval(model.mean_roc_auc))
    return (label_of(model), trained_on, *figures, behind, f"{model.overlap.images:,}")


def _points_table(model: ModelRobustness) -> PageTable:
    columns = ("Corruption", "Severity", "ROC AUC", "Accuracy")
    rows = [("untouched", "", with_interval(model.roc_auc), with_interval(model.accuracy))]
    for curve in model.curves:
        for point in curve.corrupted:
            figures = (with_interval(point.roc_auc), with_interval(point.accuracy))
            rows.append((curve.title, point.label, *figures))
    fallen = {point.told for point in at_chance(model)}
    told = ["", *(point.told for point in model.points)]
    marked = frozenset(number for number, name in enumerate(told) if name in fallen)
    note = "Marked: falls to chance." if marked else ""
    numbers = frozenset({1, 2, 3})
    return PageTable(label_of(model), columns, tuple(rows), numbers, frozenset(), marked, note)


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
        figures=key_figures(robustness),
        models=models_table(robustness),
        summary=page_picture(
            folder / "summary.png", "Mean ROC AUC of each model over all corruptions"
        ),
        curves=page_picture(folder / "curves.png", "ROC AUC by severity, a panel a corruption"),
        accuracy=page_picture(
            folder / "accuracy_curves.png", "Accuracy by severity, a panel a corruption"
        ),
        means=means_page_table(robustness),
        points=points_tables(robustness),
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
        write_table(table_of(robustness), folder / name)
    text = robustness_markdown(robustness)
    (folder / "robustness.md").write_text(text, encoding="utf-8")
    for name, draw in _PICTURES.items():
        draw(robustness, folder / name)
    write_page(robustness, folder, sorted([*_TABLES, *_PICTURES, "robustness.md"]))
