"""The MLflow store in use: opened, named, made quiet, and sent what it did not take before."""

import logging
import os
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException

from fakeface_bench.search.storage_address import damage_of
from fakeface_bench.support.disk import cache_folder, is_full, replaced_whole
from fakeface_bench.support.errors import DiskError, UsageError
from fakeface_bench.support.processes import RUN_VARIABLE
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.text import without_credentials
from fakeface_bench.tracking.addresses import (
    SQLITE,
    check_storage_apart,
    check_store_address,
    check_store_is_there,
    database_of,
)
from fakeface_bench.tracking.failures import FULL, damaged, failure_of_store
from fakeface_bench.tracking.outbox import (
    Spool,
    few_retries,
    send_spool,
    studies_file,
    unsent_folders,
)

_CHATTER = (
    "alembic",
    "mlflow.store.db.utils",
    "mlflow.system_metrics",
    "mlflow.tracking.fluent",
    "mlflow.pyfunc",
)


def open_store() -> None:
    """Reach MLflow's store, creating a local one; its log and bars are silenced."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # we print our own
    for name in _CHATTER:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # an error of ours says it in one line
    check_store_address(mlflow.get_tracking_uri())
    _check_whole()
    try:
        with few_retries():
            _make_whole()
            mlflow.MlflowClient().search_experiments(max_results=1)
    except Exception as error:  # MLflow passes on whatever its database's driver raises
        raise failure_of_store(error) from error


@contextmanager
def store_errors_named() -> Iterator[None]:
    """Tell in one line what keeps MLflow's store from answering within the block."""
    try:
        yield
    except MlflowException as error:
        raise failure_of_store(error) from error


def current_experiment() -> str:
    """Return the id of the experiment that a run opened now lies in; empty if it is still to be.

    MLflow itself would create one that is named and does not exist.
    """
    client = mlflow.MlflowClient()
    if outer := mlflow.active_run():
        return str(outer.info.experiment_id)
    if run_id := os.environ.get(RUN_VARIABLE):
        return str(client.get_run(run_id).info.experiment_id)
    if name := os.environ.get("MLFLOW_EXPERIMENT_NAME"):
        found = client.get_experiment_by_name(name)
        return str(found.experiment_id) if found else ""
    return os.environ.get("MLFLOW_EXPERIMENT_ID", "0")


def _check_whole() -> None:
    """Refuse a local store of which a part is missing, before MLflow fills up the rest."""
    uri = mlflow.get_tracking_uri()
    if uri.startswith(SQLITE) and (found := damage_of(Path(database_of(uri)))):
        raise damaged(database_of(uri), found)


def _make_whole() -> None:
    """Create a local store whole or not at all: MLflow opens no database that is half made."""
    uri = mlflow.get_tracking_uri()
    file = Path(database_of(uri))
    if not uri.startswith(SQLITE) or file.exists() or not file.parent.is_dir():
        return
    with FileLock(file.with_name(f"{file.name}.lock")):
        if file.exists():
            return
        draft = _draft_of(file)
        with replaced_whole(file, draft):
            template = _template()
            known = template is not None and template.is_file() and not damage_of(template)
            if template is not None and known:
                _copy_template(template, draft)
            mlflow.MlflowClient(f"{SQLITE}{draft}").search_experiments(max_results=1)
            if template is not None and not known:
                _keep_template(draft, template)


def _template() -> Path | None:
    """Return where a new database of MLflow's is kept for the next; None without a cache."""
    try:
        return cache_folder("mlflow") / f"{mlflow.__version__}.db"
    except DiskError as error:
        logging.getLogger(__name__).debug("no template of MLflow's database: %s", error)
        return None


def _copy_template(template: Path, draft: Path) -> None:
    """Begin a database with the kept one; a full disk is told as SQLite tells it."""
    try:
        shutil.copyfile(template, draft)
    except OSError as error:
        if is_full(error):
            raise sqlite3.OperationalError(FULL) from error
        raise


def _keep_template(database: Path, template: Path) -> None:
    """Keep a new database for the next one, since MLflow takes a second to make its tables.

    Its experiment goes, which says where this store's artifacts lie: MLflow makes one where there
    is none.
    """
    draft = _draft_of(template)
    try:
        with replaced_whole(template, draft):
            shutil.copyfile(database, draft)
            with closing(sqlite3.connect(draft)) as connection:
                connection.execute("DELETE FROM experiments")
                connection.commit()
    except (OSError, sqlite3.OperationalError) as error:  # full: the study does not need it
        logging.getLogger(__name__).debug("no template of MLflow's database is kept: %s", error)


def _draft_of(file: Path) -> Path:
    return file.with_name(f".{file.name}.{uuid4().hex[:8]}")


def storage_beside_store(asked: str, experiment_id: str) -> str:
    """Return the Optuna storage URL: the one asked for, else the file that goes with the store."""
    check_storage_apart(asked, mlflow.get_tracking_uri())
    if asked:
        return asked
    file = studies_file(experiment_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    return f"{SQLITE}{file}"


def ui_command(experiment_id: str, run_id: str) -> tuple[str, str]:
    """Return the command that opens MLflow's UI on this store, and the address of a run in it."""
    uri = without_credentials(mlflow.get_tracking_uri())
    # Without the query MLflow's sidebar offers its pages for language models.
    run = f"#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"
    if uri.startswith("http"):
        return "", f"{uri.rstrip('/')}/{run}"
    return f"mlflow ui --backend-store-uri {shlex.quote(uri)}", f"http://127.0.0.1:5000/{run}"


def describe_store() -> Iterator[str]:
    """Yield what the store in use is, and what it holds; a local one is not created."""
    yield without_credentials(mlflow.get_tracking_uri())
    try:
        check_store_is_there()
    except UsageError:
        yield "no store there yet: the first study makes it"
        return
    open_store()
    with store_errors_named():
        experiments = mlflow.MlflowClient().search_experiments()
    yield f"experiments: {', '.join(sorted(each.name for each in experiments))}"
    if kept := unsent_folders():
        yield f"not sent yet, which 'fakeface-bench sync' does: {', '.join(map(str, kept))}"


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What became of the spools in a folder."""

    sent: tuple[str, ...]
    kept: tuple[str, ...]


def sync(folder: str, progress: Progress) -> SyncOutcome:
    """Send what a folder, or if empty this machine, keeps of runs to MLflow, each record once."""
    if folder and not Path(folder).expanduser().is_dir():
        raise UsageError(
            f"folder {folder!r} is not there; leave it out, and all that is kept on this machine "
            "is sent."
        )
    folders = [Path(folder).expanduser()] if folder else unsent_folders()
    kept_of = [place for each in folders for place in sorted(each.iterdir()) if place.is_dir()]
    if not kept_of:
        progress.say("nothing is kept that was not sent")
        return SyncOutcome((), ())
    open_store()
    spools = list(map(Spool, kept_of))
    sent, kept = [], []
    with progress.stage("sending", len(spools), "runs") as advance:
        for spool in spools:
            obstacle = send_spool(spool)
            if obstacle:
                kept.append(f"run {spool.folder.name}: {obstacle}")
            else:
                sent.append(spool.folder.name)
            advance(1)
    return SyncOutcome(tuple(sent), tuple(kept))
