"""Names that a run has in MLflow: of its tags, params, metrics, artifacts and models."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import optuna

#: MLflow's own, and what a machine has or lacks: figures of the system, energy, a GPU's memory; and
#: what follows from a processor's last digits: the targets that were reached, the winner's options.
LEFT_OUT = ("system/", "mlflow.", "cost/energy", "cost/peak_gpu", "cost/to_roc_auc", "best_")
#: MLflow's own that this project writes; options that every classifier has.
OURS = (
    *("mlflow.note.content", "mlflow.parentRunId", "mlflow.runName"),
    *("best_classifier", "best_features", "best_pooling"),
)
#: Modules that a logged model brings along, and what MLflow says of it: they may move.
_CODE = ("code/", "MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt")


def names_of_run(client: mlflow.MlflowClient, run_id: str) -> dict[str, Any]:
    """Return all names of one run; of values only those that say what kind of run it is."""
    run = client.get_run(run_id)
    inputs, outputs = run.inputs, run.outputs
    return {
        "kind": run.data.tags["fakeface.kind"],
        "tags": _kept(run.data.tags),
        "params": _kept(run.data.params),
        "metrics": _kept(run.data.metrics),
        "artifacts": sorted(artifacts_of(client, run_id)),
        "datasets": [
            [f"{tag.key} = {tag.value}" for tag in dataset.tags]
            for dataset in (inputs.dataset_inputs if inputs else [])
        ],
        "models": [
            names_of_model(client, logged.model_id)
            for logged in (outputs.model_outputs if outputs else [])
        ],
    }


def names_of_model(client: mlflow.MlflowClient, model_id: str) -> dict[str, Any]:
    """Return the names of a logged model, and of its files but for the modules among them."""
    model = client.get_logged_model(model_id)
    folder = Path(model.artifact_location.removeprefix("file://"))
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    metadata = mlflow.models.Model.load(str(folder)).metadata or {}
    return {
        "name": model.name,
        "tags": _kept(model.tags),
        "params": _kept(model.params or {}),
        "metrics": _kept(figure.key for figure in model.metrics or []),
        "metadata": sorted(metadata),
        "files": sorted(file for file in files if not file.startswith(_CODE)),
    }


def artifacts_of(client: mlflow.MlflowClient, run_id: str, folder: str = "") -> Iterator[str]:
    """Yield the files of a run, those of its folders too."""
    for entry in client.list_artifacts(run_id, folder):
        if entry.is_dir:
            yield from artifacts_of(client, run_id, entry.path)
        else:
            yield entry.path


def names_of_study(study: optuna.Study) -> dict[str, Any]:
    """Return what a study's storage knows it and its trials by."""
    trials = study.get_trials()
    return {
        "study": sorted(study.user_attrs),
        "trials": sorted({name for trial in trials for name in trial.user_attrs}),
        "options": sorted({name for trial in trials for name in trial.params}),
        "definition": sorted(study.user_attrs["definition"]),
    }


def _kept(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name in OURS or not name.startswith(LEFT_OUT))
