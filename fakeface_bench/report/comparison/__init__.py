"""Finished studies side by side: which to take, what it costs, how sure that is; as files."""

from fakeface_bench.report.comparison.comparison import Comparison, compare_studies
from fakeface_bench.report.comparison.markdown_text import comparison_markdown
from fakeface_bench.report.comparison.report import write_comparison_report
from fakeface_bench.report.comparison.rows import figures_told, leaderboard_rows
from fakeface_bench.report.comparison.standing import Standing
from fakeface_bench.report.comparison.verdict import Verdict, verdict_of

__all__ = [
    "Comparison",
    "Standing",
    "Verdict",
    "compare_studies",
    "comparison_markdown",
    "figures_told",
    "leaderboard_rows",
    "verdict_of",
    "write_comparison_report",
]
