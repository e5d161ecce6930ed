"""What a finished study leaves in MLflow and in a folder: model, metrics, pictures, costs."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeface_bench.analysis.results import Results, twin_metrics
from fakeface_bench.backbones.catalogue import Architecture
from fakeface_bench.config import StudyConfig
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.index import fake_kinds, generators_seen
from fakeface_bench.data.pictures import Pictures
from fakeface_bench.data.seen import seen_images
from fakeface_bench.data.selection import twins_in_training
from fakeface_bench.evaluation.detector import Detector
from fakeface_bench.explanation.explain import explain_study
from fakeface_bench.features.engines import scoring_engine
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import (
    ModelOrigin,
    SearchRecord,
    StudyRecord,
    UnsureBand,
    WeightsRecord,
)
from fakeface_bench.records.transfer import EqualisationEffect
from fakeface_bench.report.audit_checks import audit_metrics
from fakeface_bench.report.explanation import choose_examples, write_explanation
from fakeface_bench.report.saved_study import identity_of
from fakeface_bench.report.study_report import summary_markdown, write_costs
from fakeface_bench.resolve import Plan
from fakeface_bench.serving.classifier import KERAS_HUB, ONNX_RUNTIME, DetectorFacts
from fakeface_bench.study.cost import before_epochs
from fakeface_bench.study.final_fit import Conclusion
from fakeface_bench.study.setup import Setup
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.machine import hardware_facts, machine_name
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.request import flag_of
from fakeface_bench.tracking import names
from fakeface_bench.tracking.model import write_model
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.training.head import Calibration

_VERSION = "version_"


def record_of(
    plan: Plan, setup: Setup, search: SearchRecord, conclusion: Conclusion
) -> StudyRecord:
    """Gather all that a study reports."""
    frame = setup.index.frame
    twins = twins_in_training(frame)[frame["split"] == "test"]
    test = replace(conclusion.test, has_twin=tuple(map(bool, twins)))
    return StudyRecord(
        model=plan.architecture.key,
        study=plan.study_name(setup.index),
        data=setup.index.name,
        data_folders={name: str(folder) for name, folder in setup.index.folders.items()},
        weights=WeightsRecord(plan.weights.label, plan.weights.warning),
        search=search,
        final_fit=conclusion.final_fit,
        valid=conclusion.valid,
        test=test,
        epochs_began_seconds=before_epochs(setup),
        seed=plan.config.seed,
        repeats=conclusion.repeats,
        floor=setup.dataset.audit.floor,
        source_floors=setup.dataset.audit.source_floors,
        facts={
            **audit_metrics(setup.dataset.audit),
            **setup.images_used(),
            **calibration_metrics(conclusion.detector),
            **unsure_metrics(conclusion.detector),
            **twin_metrics(test),
        },
        fine_tune=plan.unfrozen.label,
        machine=machine_name(),
        equalise=plan.config.equalised,
        baseline=conclusion.baseline,
        folds=plan.config.folds,
        choices=conclusion.choices,
        split_digests={split: setup.index.split_digest(split) for split in SPLITS},
    )


def calibration_metrics(detector: Detector) -> dict[str, float]:
    """Return the map from margins to probabilities: 1 and 0 where they are the network's own."""
    how = detector.calibration
    return {"calibration/scale": how.scale, "calibration/offset": how.offset}


def unsure_metrics(detector: Detector) -> dict[str, float]:
    """Return the ends of the band in which the detector is unsure; nothing where there is none."""
    return detector.unsure.as_metrics() if detector.unsure else {}


def origin_of(run_id: str, plan: Plan, setup: Setup, detector: Detector) -> ModelOrigin:
    """Gather what a model card holds besides results and costs."""
    kinds = fake_kinds(plan.config.data, setup.index)
    return ModelOrigin(
        run_id=run_id,
        digest=setup.index.digest,
        test_digest=setup.index.split_digest("test"),
        kinds={source: kind for source, kind in kinds.items() if kind},
        generators=generators_seen(setup.index),
        image_size_px=plan.image_size,
        fit=plan.config.fit,
        calibrated=detector.calibration != Calibration(),
        command=_command(plan.config),
        versions={
            key.removeprefix(_VERSION): str(value)
            for key, value in hardware_facts().items()
            if key.startswith(_VERSION)
        },
    )


def log_winner(
    run: TrackedRun, plan: Plan, setup: Setup, record: StudyRecord, detector: Detector
) -> str:
    """Log the model that is kept; return its id, by which its metrics refer to it."""
    band = detector.unsure or UnsureBand(detector.threshold, detector.threshold)
    facts = DetectorFacts(
        plan.image_size,
        plan.config.fit,
        detector.threshold,
        canvas_px=plan.equalisation.side,
        jpeg_quality=plan.equalisation.jpeg_quality,
        features=setup.inputs.features,
        engine=scoring_engine(setup.inputs.engine),
        unsure_low=band.low,
        unsure_high=band.high,
        library=_library_of(plan.architecture),
    )
    metadata = {
        "label": identity_of(run.run_id, record).label,
        "kinds": fake_kinds(plan.config.data, setup.index),
        "generators": generators_seen(setup.index),
        "study": record.study,
        "architecture": record.model,
        "dataset": record.data,
        "dataset_digest": setup.index.digest,
        "threshold": detector.threshold,
        **({"library": facts.library} if facts.library else {}),
    }
    seen = seen_images(setup.dataset.files, setup.index)
    with draft_folder() as folder:
        write_model(folder, detector.complete, facts, setup.example(), seen)
        return run.log_model(folder, metadata)


def _library_of(architecture: Architecture) -> str:
    """Return the distribution, besides Keras, that computes layers of a network."""
    if architecture.preset:
        return KERAS_HUB
    return ONNX_RUNTIME if architecture.file and architecture.file.is_onnx else ""


def log_results(run: TrackedRun, record: StudyRecord, results: Results, model: str) -> None:
    """Log metrics (the model's too) and winning options."""
    run.log_fit(record.final_fit.epochs, record.metrics() | results.metrics(), model)
    run.log_params({f"best_{key}": value for key, value in record.config.as_params().items()})


def explain_winner(
    run: TrackedRun,
    plan: Plan,
    setup: Setup,
    record: StudyRecord,
    conclusion: Conclusion,
    folder: Path,
    progress: Progress,
) -> None:
    """Write explanations, calibration and the classes' spectra to a folder; log their metrics.

    A picture that has changed since it was scored is left out, with a warning.
    """
    rows, size = setup.index.split("test"), plan.image_size
    files, digests = setup.index.files(rows), list(rows["digest"])
    pictures = Pictures(files, size, plan.config.fit, size, plan.equalisation, digests)
    unread: dict[int, str] = {}

    def load(position: int) -> npt.NDArray[np.uint8]:
        try:
            return pictures.load(position)
        except DataError as error:
            unread[position] = str(error)
            raise

    explanation = explain_study(
        conclusion.detector.complete,
        record.test,
        choose_examples(record.test),
        load,
        plan.config.seed,
        conclusion.test_arrays,
    )
    if unread:
        first = unread[min(unread)]
        progress.warn(f"of the test pictures {len(unread):,} cannot be explained: {first}")
    run.log_metrics(explanation.metrics())
    write_explanation(record, explanation, folder)


def log_costs(
    run: TrackedRun, record: StudyRecord, results: Results, ledger: Ledger, origin: ModelOrigin
) -> None:
    """Log the study's costs, and the pages that show results and costs together."""
    run.log_metrics(ledger.as_metrics())
    run.tag({names.NOTE: summary_markdown(record, results, ledger)})
    with draft_folder() as folder:
        write_costs(record, results, ledger, origin, folder)
        run.log_folder(folder)


def log_equalisation(
    run: TrackedRun,
    record: StudyRecord,
    results: Results,
    ledger: Ledger,
    equalisation: EqualisationEffect,
) -> None:
    """Log the effect of equalising, and add it above the results in the note."""
    run.log_metrics(equalisation.metrics())
    note = f"{equalisation.description}\n\n{summary_markdown(record, results, ledger)}"
    run.tag({names.NOTE: note, names.UNTOUCHED_RUN: equalisation.untouched_run})


def _command(config: StudyConfig) -> str:
    """Return the command of the same study, without options that hold for this machine alone."""
    default = StudyConfig().as_params()
    of_this_machine = ("storage", "cache_gb", "dollars_per_hour", "study", "register", "again")
    options = [
        f"{flag_of(key)} {shlex.quote(str(value))}"
        for key, value in config.as_params().items()
        if value != default[key] and key not in ("model", *of_this_machine)
    ]
    return " \\\n  ".join([f"fakeface-bench run --model {shlex.quote(config.model)}", *options])
