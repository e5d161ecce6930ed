"""Where this machine keeps what belongs to an MLflow store and is not in it.

Studies' trials and unsent records must be found again by the same command, from whatever folder,
or clone of the project, it is started.
"""

import hashlib
import os
import re
from pathlib import Path

import mlflow
from platformdirs import user_data_dir

from fakeface_bench.credentials import without_credentials
from fakeface_bench.tracking.database import SQLITE, database_of
from fakeface_bench.tracking.refusals import STUDIES_FILE

#: Names another folder than the user's own for data.
STUDIES_VARIABLE = "FAKEFACE_STUDIES"
#: Of what an MLflow server did not take, a folder a run.
UNSENT_FOLDER = "fakeface_unsent"
_NO_NAME = re.compile(r"[^\w.-]+")
_DIGITS = 8


def studies_file(experiment_id: str) -> Path:
    """Return the SQLite file of studies where no storage is asked for.

    It lies beside MLflow's own file where that is one. Of a store elsewhere each experiment has
    its own, in the user's folder for data, or in the one that `FAKEFACE_STUDIES` names.

    Args:
        experiment_id: Of the experiment that shows the studies.
    """
    uri = mlflow.get_tracking_uri()
    if uri.startswith(SQLITE):
        return Path(database_of(uri)).parent / STUDIES_FILE
    if "://" not in uri:  # a folder, if MLflow was told to go on with one
        return Path(uri.removeprefix("file:")).resolve().parent / STUDIES_FILE
    return _folder_of_store() / f"experiment_{_NO_NAME.sub('_', experiment_id)}" / STUDIES_FILE


def unsent_folder() -> Path:
    """Return where a folder a run keeps what the MLflow server did not take."""
    return _folder_of_store() / UNSENT_FOLDER


def unsent_folders() -> list[Path]:
    """Return those of every server for which anything is kept on this machine."""
    return sorted(_root().glob(f"*/{UNSENT_FOLDER}"))


def _folder_of_store() -> Path:
    """Return the folder of the MLflow store in use; who asks it does not matter."""
    shown = without_credentials(mlflow.get_tracking_uri()).rstrip("/")
    digest = hashlib.sha256(shown.encode()).hexdigest()[:_DIGITS]
    name = _NO_NAME.sub("_", shown.partition("://")[2])[:40].strip("_")
    return _root() / f"{name}-{digest}"


def _root() -> Path:
    named = os.environ.get(STUDIES_VARIABLE)
    return Path(named or user_data_dir("fakeface_bench")).expanduser().absolute()
