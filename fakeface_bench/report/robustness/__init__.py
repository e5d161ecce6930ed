"""How well models hold up on corrupted pictures: curves, tables, one page."""

from fakeface_bench.report.robustness.markdown_text import robustness_markdown
from fakeface_bench.report.robustness.report import write_robustness_report
from fakeface_bench.report.robustness.tables import robustness_rows
from fakeface_bench.report.robustness.verdict import robustness_verdict

__all__ = [
    "robustness_markdown",
    "robustness_rows",
    "robustness_verdict",
    "write_robustness_report",
]
