"""All files of a comparison in one folder."""

from pathlib import Path

from fakeface_bench.report.audit.tables import write_table
from fakeface_bench.report.comparison import tables
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.markdown_text import leaderboard_markdown
from fakeface_bench.report.comparison.matrices import draw_agreement, draw_confusions
from fakeface_bench.report.comparison.page import write_pages
from fakeface_bench.report.comparison.pictures import draw_curves, draw_front

_TABLES = {
    "leaderboard.csv": tables.leaderboard_table,
    "steps.csv": tables.steps_table,
    "agreement.csv": tables.agreement_table,
    "wrong_by_all.csv": tables.wrong_by_all_table,
}
_PICTURES = {
    "front.png": draw_front,
    "validation_accuracy.png": draw_curves,
    "confusion_matrices.png": draw_confusions,
    "agreement.png": draw_agreement,
}


def write_comparison_report(comparison: Comparison, folder: Path) -> None:
    """Write `report.html`, `front.html`, `leaderboard.md`, the CSV tables and the pictures.

    Files of an earlier report in the same folder are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table_of in _TABLES.items():
        write_table(table_of(comparison), folder / name)
    text = leaderboard_markdown(comparison)
    (folder / "leaderboard.md").write_text(text, encoding="utf-8")
    for name, draw in _PICTURES.items():
        draw(comparison, folder / name)
    files = sorted([*_TABLES, *_PICTURES, "front.html", "leaderboard.md"])
    write_pages(comparison, folder, files)
