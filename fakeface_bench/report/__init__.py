"""A finished study as files: tables, pictures and a short text; without TensorFlow or MLflow."""

from fakeface_bench.report.study_report import write_study_report
from fakeface_bench.report.summary import summary_headline, summary_markdown, summary_rows

__all__ = ["summary_headline", "summary_markdown", "summary_rows", "write_study_report"]
