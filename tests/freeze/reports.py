"""Every report of fixed records, and what a terminal shows of them."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from rich.console import Console

from fakeface_bench.analysis.comparison import compare_studies
from fakeface_bench.analysis.results import results_of
from fakeface_bench.cli.output import (
    print_audit,
    print_comparison,
    print_evaluation,
    print_generalisation,
    print_outcome,
    print_registration,
    print_robustness,
    row_writer,
)
from fakeface_bench.config import PREDICTION_FORMS
from fakeface_bench.data.audit import Audit
from fakeface_bench.evaluation.metrics import part_metrics
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.audit import JudgedAudit
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.explanation import Prediction, PredictionCounts
from fakeface_bench.records.registration import Finding, Registration
from fakeface_bench.records.study import (
    FitRecord,
    LeftOut,
    RepeatRecord,
    ShortcutFloor,
    StudyRecord,
    WeightsRecord,
)
from fakeface_bench.records.transfer import EqualisationEffect
from fakeface_bench.report.audit_checks import audit_markdown, audit_metrics, find
from fakeface_bench.report.audit_page import write_audit_report
from fakeface_bench.report.comparison_page import comparison_markdown, write_comparison_report
from fakeface_bench.report.explanation import JudgedImage, write_evidence_picture, write_explanation
from fakeface_bench.report.model_card import model_card, with_elsewhere
from fakeface_bench.report.robustness_page import robustness_markdown, write_robustness_report
from fakeface_bench.report.saved_study import write_set_predictions
from fakeface_bench.report.study_report import summary_markdown, write_costs, write_study_report
from fakeface_bench.report.transfer_page import write_evaluation_report, write_generalisation_report
from fakeface_bench.study.run import StudyOutcome
from tests.report.audits import a_floor, a_full_audit, a_mix, an_audit, changed
from tests.report.compared_studies import IMAGES, five
from tests.report.conftest import (
    ORIGIN,
    epochs,
    middling_ledger,
    middling_study,
    scored_split,
    search_record,
    trial,
    with_metrics,
)
from tests.report.corrupted_models import corrupted, robustness
from tests.report.explained_studies import explained, explanation_of
from tests.report.transferred_models import hold_out, matrix, several, three_by_three

RUN, EXPERIMENT = "0123456789abcdef0123456789abcdef", "7"
#: Pictures that records name, in the working folder, so that no path of a machine is in a report.
PICTURES = Path("pictures")
FLOOR = ShortcutFloor(0.61, 0.55, 0.67, 900, {"file size": 0.58, "dimensions": 0.5})
CARD = "model_card_elsewhere.md"
#: Widths of a terminal: where a table has room, and where it has not.
WIDTHS = (120, 60)


def write_study(folder: Path) -> None:
    """A study of frozen features on two sources with a tier, explained and registered."""
    record = _of_parts(replace(middling_study(PICTURES), floor=FLOOR, facts={"data/images": 200.0}))
    record = replace(record, source_floors={"own": a_floor(0.58, 0.5, 0.66)})
    registration = Registration(
        study="a study",
        run_id=RUN,
        name="faces",
        number="3",
        findings=(Finding(True, "it comes back in a new process"), Finding(False, "it is worse")),
        former="2",
        forced=False,
        tested="140k: ROC AUC 0.9",
        choice=("It is the cheapest.",),
    )
    _study(record, folder)
    write_explanation(record, explanation_of(record.test, gone=1), folder)
    judged = JudgedImage("new/face.jpg", "a model", 0.83, 0.47)
    write_evidence_picture(explained(5), judged, folder / "explained" / "face.png")
    card = with_elsewhere(
        model_card(record, results_of(record), middling_ledger(), ORIGIN), ["ciplab: ROC AUC 0.6"]
    )
    (folder / CARD).write_text(card, encoding="utf-8")
    _shown(partial(print_registration, registration), folder, "registration")


def write_tuned_study(folder: Path) -> None:
    """A study of equalised pictures that trained layers from random values, with a further seed."""
    record = middling_study(PICTURES)
    other = scored_split(60, seed=5, distance=1.0, threshold=0.3)
    weights = WeightsRecord("random", "Random weights: these results say nothing of the model.")
    trials = (trial(0, "complete", 0.861), trial(1, "complete", 0.842))
    _study(
        replace(
            record,
            seed=7,
            repeats=(RepeatRecord(8, other, 4),),
            fine_tune="last_2_blocks",
            equalise="jpeg75",
            weights=weights,
            search=search_record(trials, {}),
            final_fit=FitRecord(epochs(1), best_epoch=0),
        ),
        folder,
        EqualisationEffect(0, 75, 60, 0.95, 0.9, Estimate(0.05, 0.01, 0.09), RUN, outlasting=3),
    )


def write_perfect_study(folder: Path) -> None:
    """A study of one trial with every test image right."""
    record = middling_study(PICTURES)
    test = with_metrics(replace(record.test, y_score=record.test.y_true.astype(np.float64)))
    trials = record.search.trials[:1]
    record = replace(record, test=test, search=search_record(trials, {}))
    _study(record, folder)
    write_explanation(record, explanation_of(test), folder)


def write_comparison(folder: Path) -> None:
    """A comparison of five studies, and of one alone."""
    (PICTURES / "test").mkdir(parents=True)
    for n in range(0, IMAGES, 2):
        Image.new("RGB", (70, 50), (2 * n, 90, 120)).save(PICTURES / f"test/{n:04}.jpg")
    for name, count in (("five", 5), ("one", 1)):
        studies = five(PICTURES)[:count]
        left_out = [LeftOut("vgg19", "", "it never ended.")] if count > 1 else []
        compared = compare_studies(studies, left_out)
        target = folder / name
        write_comparison_report(compared, target)
        (target / "note.md").write_text(comparison_markdown(compared), encoding="utf-8")
        outcome = JobOutcome(compared, RUN, EXPERIMENT, Path("comparison"))
        _shown(partial(print_comparison, outcome), target)


def write_evaluation(folder: Path) -> None:
    """An evaluation on several sets, among them one of fakes alone and one of reals alone."""
    scores = tuple(several())
    write_evaluation_report(scores, folder)
    write_set_predictions(scores, folder)
    outcome = JobOutcome(scores, RUN, EXPERIMENT, Path("evaluation"))
    _shown(partial(print_evaluation, outcome), folder)


def write_generalisation(folder: Path) -> None:
    """A matrix with all that may stand in one, and a plain one of two networks."""
    plain = matrix(("140k", "ciplab"), ("140k", "ciplab"), ("small", "large"), images=80)
    plain = replace(plain, hold_outs=(hold_out("easy", 1.9),))
    for name, record in (("whole", three_by_three()), ("plain", plain)):
        write_generalisation_report(record, folder / name)
        outcome = JobOutcome(record, RUN, EXPERIMENT)
        _shown(partial(print_generalisation, outcome), folder / name)
    write_set_predictions(three_by_three().cells, folder / "whole")


def write_robustness(folder: Path) -> None:
    """A test of three models' robustness, and of one alone."""
    three = (corrupted("weak", 1.5), corrupted("strong", 3.0), corrupted("all, strong", 3.0))
    for name, models in (("three", three), ("one", three[:1])):
        record = robustness(*models)
        write_robustness_report(record, folder / name)
        (folder / name / "note.md").write_text(robustness_markdown(record), encoding="utf-8")
        outcome = JobOutcome(record, RUN, EXPERIMENT)
        _shown(partial(print_robustness, outcome), folder / name)


def write_audit(folder: Path) -> None:
    """Audits of a sound dataset with copies, of one that is not fit, and of two sources."""
    spoiled = changed(
        left_out={0: "unreadable", 1: "both labels", 9: "both labels"},
        error={0: "truncated"},
        wrong_extension={3: True},
        frames={4: 2},
        tier={10: "easy", 11: "hard"},
        quantisation={n: "ba9876543210" for n in range(8, 16)},
    )
    audits = {
        "copies": a_full_audit(PICTURES),
        "unfit": _with_skipped(an_audit(files=spoiled, floor=None)),
        "mix": a_mix(source_floors={"own": a_floor(0.95, 0.9, 0.99), "official": a_floor()}),
    }
    for name, audit in audits.items():
        target = folder / name
        write_audit_report(audit, find(audit), target)
        (target / "note.md").write_text(audit_markdown(audit, find(audit)), encoding="utf-8")
        metrics = json.dumps(audit_metrics(audit), indent=1)
        (target / "metrics.json").write_text(metrics, encoding="utf-8")
        _shown(
            partial(print_audit, JobOutcome(JudgedAudit(audit, find(audit)), RUN, EXPERIMENT)),
            target,
        )


def write_predictions(folder: Path) -> None:
    """What `predict` says of three files, in each of its forms."""
    rows = (
        Prediction("faces/one.jpg", "real", 0.123456789012, 0.47, False, "3"),
        Prediction("faces/zwei, ein Gesicht.png", "fake", 0.98, 0.47, True, "3"),
        Prediction("faces/broken.jpg", None, None, 0.47, None, "3", "it is truncated"),
    )
    for form in PREDICTION_FORMS:
        for width in (0, *WIDTHS):
            stream = io.StringIO()
            write = row_writer(form, stream, max(len(row.path) for row in rows), width)
            for row in rows:
                write(row)
            file = folder / f"{form}_{width}.txt"
            file.write_text(stream.getvalue(), encoding="utf-8")
    counts = PredictionCounts(1, 1, 1, 2.34).line
    (folder / "counts.txt").write_text(counts, encoding="utf-8")


#: By name: what writes a report to a folder.
REPORTS: dict[str, Callable[[Path], None]] = {
    "study": write_study,
    "tuned_study": write_tuned_study,
    "perfect_study": write_perfect_study,
    "comparison": write_comparison,
    "evaluation": write_evaluation,
    "generalisation": write_generalisation,
    "robustness": write_robustness,
    "audit": write_audit,
    "predictions": write_predictions,
}


def _study(
    record: StudyRecord, folder: Path, equalisation: EqualisationEffect | None = None
) -> None:
    ledger = middling_ledger()
    write_study_report(record, results_of(record), folder)
    write_costs(record, results_of(record), ledger, ORIGIN, folder)
    (folder / "note.md").write_text(
        summary_markdown(record, results_of(record), ledger), encoding="utf-8"
    )
    spent = replace(ledger, other={**ledger.other, "extracted_images": 340.0})
    outcome = StudyOutcome(
        record, results_of(record), spent, RUN, EXPERIMENT, equalisation=equalisation
    )
    _shown(partial(print_outcome, outcome), folder)
    metrics = (
        record.metrics() | spent.as_metrics() | (equalisation.metrics() if equalisation else {})
    )
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1), encoding="utf-8")


def _of_parts(record: StudyRecord) -> StudyRecord:
    """Let a study's test images come from two sources, some of them of a tier."""
    test = record.test
    sources = tuple("140k_subset" if n % 3 else "own" for n in range(len(test.y_true)))
    tiers = tuple("hard" if fake and n % 2 else "" for n, fake in enumerate(test.y_true))
    test = replace(test, sources=sources, tiers=tiers)
    parts = part_metrics(test.y_true, test.y_score, test.threshold, test.described)
    test = replace(test, parts=parts)
    folders = {"140k_subset": str(PICTURES), "own": str(PICTURES)}
    return replace(record, test=test, data_folders=folders)


def _with_skipped(audit: Audit) -> Audit:
    skipped = [("faces", "notes.gif", "not a JPEG, PNG or WebP file")]
    return replace(audit, skipped=pd.DataFrame(skipped, columns=["source", "path", "reason"]))


def _shown(show: Callable[[Console], None], folder: Path, name: str = "terminal") -> None:
    """Keep what a command prints at its end."""
    for width in WIDTHS:
        console = Console(width=width, record=True, file=io.StringIO())
        show(console)
        (folder / f"{name}_{width}.txt").write_text(console.export_text(), encoding="utf-8")
