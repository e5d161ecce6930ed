"""Studies as MLflow holds them: found again, opened for another process, read back as files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from fakeface_bench.config import (
    UNTOUCHED,
    SearchConfig,
    StudyConfig,
    equalising_words,
)
from fakeface_bench.records.settings import NAMED_OPTIONS, format_option
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.processes import RUN_VARIABLE
from fakeface_bench.tracking import names
from fakeface_bench.tracking.runs import TrackedRun, close_run
from fakeface_bench.tracking.succession import all_runs

FINISHED = "FINISHED"
#: Param of a study of a user's own network: digest of its file and of how it is read.
NETWORK_DIGEST = "network_digest"
#: Param of a study that knows generators: digest of which images each, or each source of real
#: images, made.
GENERATORS_DIGEST = "generators_digest"
#: Param of a study whose search was stopped before its number of trials.
STOPPED = "stopped"
_USUAL = StudyConfig.options()
#: Options by which studies of one network are different experiments.
_OF_VARIANTS = ("input", "folds", *SearchConfig.options())
#: See `StudyRun.key`.
StudyKey = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class StudyRun:
    """The parent run of a study."""

    run_id: str
    status: str
    model: str
    fine_tune: str
    weights: str
    dataset: str
    digest: str
    test_digest: str
    began: int  # Unix time in milliseconds
    failure: str
    experiment_id: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    parent: str = ""  # the run that it lies below; empty for none

    @property
    def equalise(self) -> str:
        """As in `StudyRecord`; studies of earlier versions know nothing of it."""
        canvas = int(float(self.params.get("canvas", 0)))
        return equalising_words(canvas, self.params.get("equalise", UNTOUCHED))

    @property
    def limit(self) -> int:
        """Most images of each split and class that it was to use; 0 for all."""
        return int(float(self.params.get("limit", 0)))

    @property
    def settings(self) -> dict[str, str]:
        """How it was asked, in words, by each of `NAMED_OPTIONS`; of weights, what they were.

        Beside them stands the side of the network's input, `image_size_px`.
        """
        asked = {key: self.params.get(key, str(_USUAL[key].default)) for key in NAMED_OPTIONS}
        kind = "a file's" if self.weights.startswith("file:") else self.weights
        words = {
            key: format_option(key, value) for key, value in (asked | {"weights": kind}).items()
        }
        return words | {"image_size_px": self.params.get("image_size_px", "")}

    @property
    def key(self) -> StudyKey:
        """What a comparison holds once.

        Model, layers trained, weights, what pictures pass, what a user narrowed or fixed of input
        and search.
        """
        asked = ", ".join(
            format_option(key, value)
            for key in _OF_VARIANTS
            if (value := self.params.get(key)) not in (None, str(_USUAL[key].default))
        )
        return self.model, self.fine_tune, self.weights, self.equalise, asked

    @property
    def name(self) -> str:
        """The same in words."""
        return ", ".join(part for part in self.key if part not in ("", UNTOUCHED))


def find_studies(experiment_id: str) -> list[StudyRun]:
    """Return the studies of an experiment, the newest first, without those run again since."""
    client = mlflow.MlflowClient()
    query = f"tags.`{names.KIND}` = 'study'"
    runs = list(all_runs(client, experiment_id, query))
    finished = {run.info.run_id for run in runs if run.info.status == FINISHED}
    return [
        _study_run(run) for run in runs if run.data.tags.get(names.SUPERSEDED_BY) not in finished
    ]


def newest_study(experiment_id: str) -> StudyRun | None:
    """Return the newest finished study that was not run for another study's sake."""
    studies = find_studies(experiment_id)
    known = {study.run_id for study in studies}
    own = (s for s in studies if s.status == FINISHED and s.parent not in known)
    return next(own, None)


def study_named(run_id: str) -> StudyRun:
    """Return a finished study by its run."""
    return _study_run(_finished_run(run_id, ("study",)))


@dataclass(frozen=True, slots=True)
class ComparisonRun:
    """The run of a finished comparison; `studies` are the runs that it compares."""

    run_id: str
    studies: tuple[str, ...]
    params: Mapping[str, str]


def study_or_comparison(run_id: str) -> StudyRun | ComparisonRun:
    """Return a finished study or comparison by its run."""
    run = _finished_run(run_id, ("study", "comparison"))
    if run.data.tags[names.KIND] == "study":
        return _study_run(run)
    compared = run.data.tags.get(names.COMPARED, "")
    return ComparisonRun(run.info.run_id, tuple(compared.split(",")), run.data.params)


def _finished_run(run_id: str, kinds: Sequence[str]) -> Run:
    try:
        run = mlflow.MlflowClient().get_run(run_id)
    except MlflowException as error:
        raise UsageError(
            f"MLflow knows no run {run_id!r} in {mlflow.get_tracking_uri()}; MLflow's UI shows the "
            "ids of all, and MLFLOW_TRACKING_URI names another store."
        ) from error
    if run.info.lifecycle_stage == "deleted":
        raise UsageError(
            f"the run {run_id} was deleted; 'mlflow runs restore --run-id {run_id}' brings it back."
        )
    kind = run.data.tags.get(names.KIND, "")
    if kind not in kinds or run.info.status != FINISHED:
        what = f"a {kind}" if kind and kind not in kinds else f"{run.info.status.lower()}"
        wanted = " or ".join(kinds)
        raise UsageError(f"the run {run_id} is no finished {wanted}: it is {what}.")
    return run


def found_elsewhere(run_id: str, experiment_id: str) -> list[str]:
    """Return what finished evaluations of a study's model found: the newest first, each once."""
    query = (
        f"tags.`{names.KIND}` = 'evaluation' and tags.`{names.EVALUATED}` = '{run_id}' "
        f"and attributes.status = '{FINISHED}'"
    )
    runs = all_runs(mlflow.MlflowClient(), experiment_id, query)
    texts = [run.data.tags.get(names.ELSEWHERE, "") for run in runs]
    return list(dict.fromkeys(line for text in texts for line in text.splitlines()))


def download_study(
    study: StudyRun,
    files: Iterable[str],
    folder: Path,
    remedy: str = "Run the study again, or compare others with runs=.",
) -> None:
    """Copy files of a study into a folder, under the same names.

    Args:
        remedy: What to do where one is missing.
    """
    client = mlflow.MlflowClient()
    again = f"{remedy} (run {study.run_id})"
    for file in files:
        try:
            # MLflow keeps a folder's name only where the whole folder is asked for.
            place = folder / Path(file).parent
            place.mkdir(exist_ok=True)
            client.download_artifacts(study.run_id, file, str(place))
        except (MlflowException, OSError) as error:
            raise UsageError(
                f"the study of {study.name} has no {file} in MLflow. {again}"
            ) from error
    outputs = client.get_run(study.run_id).outputs
    for model in outputs.model_outputs if outputs else []:
        try:
            client.get_logged_model(model.model_id)
        except MlflowException as error:
            raise UsageError(
                f"the model of the study of {study.name} was deleted from MLflow "
                f"({model.model_id}). {again}"
            ) from error


def open_study_run(parent: TrackedRun, model: str, dataset: str) -> str:
    """Open a run for a study that another process is to adopt; return its id."""
    tags = {
        names.KIND: "study",
        names.PARENT: parent.run_id,
        names.MODEL: model,
        names.DATASET: dataset,
    }
    name = names.run_name("study", dataset, model)
    run = mlflow.MlflowClient().create_run(parent.experiment_id, run_name=name, tags=tags)
    return str(run.info.run_id)


def environment_of(run_id: str, experiment_id: str) -> dict[str, str]:
    """Return the variables by which a process adopts a run of this store."""
    return {
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_EXPERIMENT_ID": experiment_id,
        RUN_VARIABLE: run_id,
    }


def settle_study_run(run_id: str, obstacle: str) -> str:
    """Close the run of a process that failed; return the reason: its own, else `obstacle`."""
    run = mlflow.MlflowClient().get_run(run_id)
    reason = run.data.tags.get(names.FAILURE) or obstacle
    if run.info.status == "RUNNING":
        close_run(run_id, "FAILED", reason)
    return str(reason)


def _study_run(run: Run) -> StudyRun:
    tags = run.data.tags
    return StudyRun(
        run_id=run.info.run_id,
        status=run.info.status,
        model=tags.get(names.MODEL, ""),
        fine_tune=tags.get(names.FINE_TUNE, ""),
        weights=tags.get(names.WEIGHTS, ""),
        dataset=tags.get(names.DATASET, ""),
        digest=tags.get(names.DATASET_DIGEST, ""),
        test_digest=tags.get(names.TEST_DIGEST, ""),
        began=run.info.start_time,
        failure=tags.get(names.FAILURE, ""),
        experiment_id=run.info.experiment_id,
        params=run.data.params,
        metrics=run.data.metrics,
        parent=tags.get(names.PARENT, ""),
    )
