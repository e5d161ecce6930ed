"""What a finished model does on other datasets: one model on several sets, and a whole matrix."""

from fakeface_bench.report.transfer.evaluation import (
    evaluation_markdown,
    evaluation_rows,
    evaluation_sentences,
    write_evaluation_report,
)
from fakeface_bench.report.transfer.generalisation import (
    generalisation_markdown,
    generalisation_rows,
    generalisation_sentences,
    write_generalisation_report,
)

__all__ = [
    "evaluation_markdown",
    "evaluation_rows",
    "evaluation_sentences",
    "generalisation_markdown",
    "generalisation_rows",
    "generalisation_sentences",
    "write_evaluation_report",
    "write_generalisation_report",
]
