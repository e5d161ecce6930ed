"""One evaluation: a finished model on datasets that nothing of it was selected on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fakeface_bench.config import EvaluateConfig
from fakeface_bench.errors import ModelError
from fakeface_bench.progress import Progress
from fakeface_bench.publishing import publish
from fakeface_bench.records import SetScores
from fakeface_bench.report import (
    evaluation_markdown,
    evaluation_sentences,
    with_elsewhere,
    write_evaluation_report,
    write_set_predictions,
)
from fakeface_bench.scoring import estimate_metrics, score_set
from fakeface_bench.test_sets import whole_set
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.registry import (
    MAX_DESCRIPTION,
    describe_version,
    descriptions_of,
)
from fakeface_bench.tracking.store import open_store
from fakeface_bench.trained import open_trained
from fakeface_bench.transfer_request import check_evaluate


@dataclass(frozen=True, slots=True)
class EvaluationOutcome:
    """What an evaluation leaves: the figures, and where MLflow and a folder hold them."""

    scores: tuple[SetScores, ...]
    run_id: str
    experiment_id: str
    folder: Path | None


def run_evaluation(config: EvaluateConfig, progress: Progress) -> EvaluationOutcome:
    """Score a finished model on other datasets and record it in MLflow.

    Raises:
        FakefaceError: For whatever a user can mend; the MLflow run is then FAILED and says why.
    """
    check_evaluate(config)
    open_store()
    with tracked_run("evaluation", "evaluation", config.as_params()) as run:
        trained = open_trained(config.model, run.experiment_id, progress, config.allow_unsafe_model)
        model = trained.model
        run.tag({names.MODEL: model.label, names.EVALUATED: model.run_id})
        sets = [
            whole_set(data, config.limit, progress, config.classes) for data in config.test_sets
        ]
        tested = ", ".join(test_set.name for test_set in sets)
        run.tag({names.RUN_NAME: f"{model.label}, trained on {model.data}, on {tested}"})
        scores = tuple(score_set(trained, test_set, progress) for test_set in sets)
        told = zip(scores, evaluation_sentences(scores), strict=True)
        elsewhere = [text for cell, text in told if not cell.is_own and not cell.is_part]
        for test_set in sets:
            index = test_set.index
            run.log_dataset(index.name, index.digest, index.frame, index.folders, "test")
        run.tag(
            {
                names.DATASET: ", ".join(cell.data for cell in scores),
                names.ELSEWHERE: "\n".join(elsewhere),
                names.NOTE: evaluation_markdown(scores),
            }
        )
        run.log_figures(dict(_figures(scores)))
        _tell_registry(model.run_id, elsewhere, progress)
        folder = publish(run, config.output, lambda draft: _write(scores, draft), progress)
    return EvaluationOutcome(scores, run.run_id, run.experiment_id, folder)


def _tell_registry(run_id: str, found: Sequence[str], progress: Progress) -> None:
    """Let the registered versions of a model say how it did elsewhere."""
    if not run_id:
        return
    try:
        for version, described in descriptions_of(run_id).items():
            told = with_elsewhere(described, found)[:MAX_DESCRIPTION]
            describe_version(version, told, {})
    except ModelError as error:
        progress.warn(f"the figures stand in MLflow, but not with the registered model: {error}")


def _figures(scores: Sequence[SetScores]) -> Iterator[tuple[str, float]]:
    for cell in scores:
        place = f"evaluate/{names.metric_part(cell.data)}"
        yield f"{place}/images", float(cell.images)
        yield f"{place}/left_out", float(cell.overlap.images)
        if cell.floor:
            yield f"{place}/shortcut_auc", cell.floor.roc_auc
        yield from estimate_metrics(place, cell.figures)
        for part, figures in cell.parts.items():
            yield from estimate_metrics(f"{place}/{names.metric_part(part)}", figures)


def _write(scores: Sequence[SetScores], folder: Path) -> None:
    write_evaluation_report(scores, folder)
    write_set_predictions(scores, folder)
