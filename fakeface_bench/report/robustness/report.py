"""All files of a test of robustness in one folder."""

from pathlib import Path

from fakeface_bench.records.robustness import Robustness
from fakeface_bench.report.audit.tables import write_table
from fakeface_bench.report.robustness.curves import draw_accuracy_curves, draw_roc_auc_curves
from fakeface_bench.report.robustness.markdown_text import robustness_markdown
from fakeface_bench.report.robustness.page import write_page
from fakeface_bench.report.robustness.summary import draw_summary
from fakeface_bench.report.robustness.tables import means_table, points_table

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
