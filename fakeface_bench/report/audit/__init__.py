"""A dataset's audit as files: one page, tables, pictures, a short text, and single figures."""

from fakeface_bench.report.audit.report import write_audit_report
from fakeface_bench.report.audit.summary import audit_markdown, audit_metrics, audit_rows

__all__ = ["audit_markdown", "audit_metrics", "audit_rows", "write_audit_report"]
