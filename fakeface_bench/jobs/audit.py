"""One audit: what is wrong with a dataset, found and recorded before anything is trained on it."""

from dataclasses import dataclass, replace

from fakeface_bench.config import AuditConfig
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.sources import source_names
from fakeface_bench.evaluation.residual_shortcut import residual_shortcut
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.report.audit_checks import Findings, audit_markdown, audit_metrics, find
from fakeface_bench.report.audit_page import write_audit_report
from fakeface_bench.resolve import RequestLike, checked
from fakeface_bench.study.preparation import prepare_dataset
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.runs import log_report
from fakeface_bench.tracking.store import open_store


@dataclass(frozen=True, slots=True)
class JudgedAudit:
    """A dataset's audit, and what its checks find."""

    audit: Audit
    findings: Findings


def run_audit(asked: RequestLike[AuditConfig], progress: Progress) -> JobOutcome[JudgedAudit]:
    """Audit a dataset and record the findings in MLflow."""
    config = checked(asked).request
    open_store()
    title = names.run_name("audit", "+".join(source_names(config.data)), "files and labels")
    with tracked_run("audit", title, config.as_params()) as run:
        dataset = prepare_dataset(config.data, config.seed, progress, config.classes)
        audit = dataset.audit
        residual = residual_shortcut(dataset.files, audit.folders, progress)
        audit = replace(audit, residual=residual)
        run.tag({names.DATASET: audit.name, names.DATASET_DIGEST: audit.digest})
        run.log_dataset(audit.name, audit.digest, audit.used, audit.folders)
        run.log_metrics(audit_metrics(audit))
        findings = find(audit)
        run.tag({names.NOTE: audit_markdown(audit, findings)})
        folder = log_report(
            run, config.output, lambda draft: write_audit_report(audit, findings, draft), progress
        )
    return JobOutcome(JudgedAudit(audit, findings), run.run_id, run.experiment_id, folder)
