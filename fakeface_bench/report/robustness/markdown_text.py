"""A test of robustness as a short text: the note of its run, and `robustness.md`."""

from fakeface_bench.records.robustness import Robustness
from fakeface_bench.report.markdown import escaped, table
from fakeface_bench.report.robustness.tables import robustness_rows
from fakeface_bench.report.robustness.verdict import robustness_verdict


def robustness_markdown(robustness: Robustness) -> str:
    """Return the verdict, and mean ROC AUC by corruption."""
    verdict = robustness_verdict(robustness)
    told = [*verdict.paragraphs, *verdict.others]
    parts = [f"**{escaped(verdict.headline)}**", *map(escaped, told)]
    return "\n\n".join([*parts, table(*robustness_rows(robustness))]) + "\n"
