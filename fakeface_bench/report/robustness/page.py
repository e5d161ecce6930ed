"""The one page of a test of robustness: within a single HTML file, without a network."""

from pathlib import Path

from fakeface_bench.records.robustness import Robustness
from fakeface_bench.report.page import page_environment, page_picture
from fakeface_bench.report.robustness import page_tables as tables
from fakeface_bench.report.robustness.told import data_of, label_of
from fakeface_bench.report.robustness.verdict import robustness_verdict

_PACKAGE = "fakeface_bench.report.robustness"


def write_page(robustness: Robustness, folder: Path, files: list[str]) -> None:
    """Write `report.html` beside the pictures, which are already drawn.

    Args:
        robustness: What to show.
        folder: To write to, and where the pictures lie.
        files: What lies beside the page, for its last line.
    """
    models = robustness.models
    on = f"{label_of(models[0])} on {data_of(robustness)}"
    page = page_environment(_PACKAGE).get_template("robustness.html")
    content = page.render(
        title=on if len(models) == 1 else data_of(robustness),
        verdict=robustness_verdict(robustness),
        figures=tables.key_figures(robustness),
        models=tables.models_table(robustness),
        summary=page_picture(
            folder / "summary.png", "Mean ROC AUC of each model over all corruptions"
        ),
        curves=page_picture(folder / "curves.png", "ROC AUC by severity, a panel a corruption"),
        accuracy=page_picture(
            folder / "accuracy_curves.png", "Accuracy by severity, a panel a corruption"
        ),
        means=tables.means_table(robustness),
        points=tables.points_tables(robustness),
        terms=tables.TERMS,
        about=tables.about(robustness),
        files=files,
    )
    (folder / "report.html").write_text(content, encoding="utf-8")
