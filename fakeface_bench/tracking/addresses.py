"""Addresses of MLflow's stores and models: what is wrong with one, and what to do.

MLflow's own text says it too, but at the end of a paragraph, or not at all.
"""

import os
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

from fakeface_bench.search.storage_address import check_database_file, kind_hint
from fakeface_bench.support.disk import existing_path
from fakeface_bench.support.errors import OutageError, UsageError, shortened
from fakeface_bench.support.text import hide_credentials, without_credentials

SQLITE = "sqlite:///"


def database_of(uri: str) -> str:
    """Return what a URI names: a SQLite file however it is spelled, else the URI itself."""
    if not uri.startswith(SQLITE):
        return uri
    return str(Path(unquote(uri.removeprefix(SQLITE))).resolve())


#: How an address that MLflow resolves begins.
ADDRESSES = ("models:/", "runs:/")
_ADDRESS = re.compile(r"models:/[^/]+([/@].+)?|runs:/[0-9a-f]{32}/.+")
_MLMODEL = "MLmodel"
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_SHORT_NAME = re.compile(r"[\w. -]+(@|/)\w+")
_HOW = (
    "A model is a registry address (models:/fakeface@champion, models:/fakeface/3), a run (its id, "
    "or runs:/ID/model) or the folder of an MLflow model."
)


def model_folder(model: str) -> Path | None:
    """Return the folder that a model's name is, or None where MLflow must be asked."""
    if model.startswith(ADDRESSES):
        if not _ADDRESS.fullmatch(model):
            raise UsageError(f"{model!r} is no address of a model. {_HOW}")
        return None
    path = existing_path(model) if model else None
    if path is not None:
        folder = path.parent if path.name == _MLMODEL else path
        if not (folder / _MLMODEL).is_file():
            raise UsageError(f"{model!r} is no MLflow model: it holds no file {_MLMODEL}. {_HOW}")
        return folder
    if not _RUN_ID.fullmatch(model):
        hint = f" Did you mean 'models:/{model}'?" if _SHORT_NAME.fullmatch(model) else ""
        raise UsageError(f"no model {model!r}: there is no such file.{hint} {_HOW}")
    return None


STORE_VARIABLE = "MLFLOW_TRACKING_URI"
_REGISTRY_VARIABLE = "MLFLOW_REGISTRY_URI"
EXPERIMENT_VARIABLE = "MLFLOW_EXPERIMENT_NAME"
#: Of studies, where none is asked for.
STUDIES_FILE = "fakeface_studies.db"
#: MLflow's own switch, by which it goes on with its old store.
_ALLOW_FILES = "MLFLOW_ALLOW_FILE_STORE"
_WEB = ("http", "https")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_ELSEWHERE = ("databricks", "databricks-uc", "uc")
_FORMS = "'sqlite:///FILE', 'http://HOST:PORT' or 'postgresql://HOST/NAME'"
_SCHEME = re.compile(r"([A-Za-z][\w.-]*)(\+\w+)?:")
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9][\w.-]*:\d{1,5}(/.*)?")


def check_store_address(uri: str | None = None) -> None:
    """Refuse an address that MLflow cannot mean, before anything heavy is loaded."""
    named = os.environ.get(STORE_VARIABLE, "")
    uri = named if uri is None else uri
    if not uri or uri in _ELSEWHERE:
        return
    shown = hide_credentials(uri)
    scheme = _SCHEME.match(uri)
    kind = scheme[1].lower() if scheme else ""
    if _HOST_AND_PORT.fullmatch(uri):
        raise UsageError(
            f"{STORE_VARIABLE} {shown!r} lacks its scheme; did you mean 'http://{shown}'?"
        )
    if len(kind) <= 1:  # a path, on Windows too
        kind = "file"
    files_allowed = os.environ.get(_ALLOW_FILES, "").lower() in ("true", "1")
    if kind == "file" and not files_allowed:
        raise UsageError(_files_advice(uri, named))
    if uri.startswith("sqlite:") and not uri.startswith(SQLITE):
        file = uri.removeprefix("sqlite:").lstrip("/") or "mlflow.db"
        raise UsageError(
            f"{STORE_VARIABLE} {shown!r} names no file; did you mean '{SQLITE}{file}'?"
        )
    known = ("file", *_WEB, *_DATABASES, *_ELSEWHERE)
    if kind not in known:
        hint = kind_hint(kind, known, shown, _FORMS)
        raise UsageError(f"{STORE_VARIABLE} {shown!r} is of no kind that MLflow has; {hint}")
    if kind == "sqlite" and ":memory:" not in uri:
        # MLflow would make a folder that is mistyped.
        check_database_file(f"{STORE_VARIABLE} {uri!r}", Path(database_of(uri)), "mlflow.db")


def check_store_is_there() -> None:
    """Refuse to read from a local store that nobody has written: MLflow would make an empty one."""
    if _REGISTRY_VARIABLE in os.environ:
        return  # models may lie there
    uri = os.environ.get(STORE_VARIABLE, "") or _default_store()
    file = Path(database_of(uri))
    if uri.startswith(SQLITE) and ":memory:" not in uri and not file.exists():
        named = STORE_VARIABLE in os.environ
        where = f"which {STORE_VARIABLE} names" if named else "in this folder"
        raise UsageError(
            f"there is no MLflow store {file}, {where}, so there are no studies and no models. Run "
            f"the command where a study has run, or let {STORE_VARIABLE} name its store."
        )


def check_storage_apart(storage: str, uri: str | None = None) -> None:
    """Refuse to keep studies in MLflow's own database: both keep a table `alembic_version`."""
    store = uri or os.environ.get(STORE_VARIABLE, "") or _default_store()
    if storage and database_of(storage) == database_of(store):
        raise UsageError(
            "storage is MLflow's own database; Optuna needs one of its own, for instance "
            f"{SQLITE}{STUDIES_FILE}."
        )


def _default_store() -> str:
    """Return what MLflow takes where nobody names a store."""
    return "./mlruns" if any(Path("mlruns").glob("*/meta.yaml")) else f"{SQLITE}mlflow.db"


def _files_advice(uri: str, named: str) -> str:
    folder = uri.removeprefix("file:")
    folder = f"/{folder.lstrip('/')}" if folder.startswith("//") else folder
    if Path(folder).suffix in (".db", ".sqlite", ".sqlite3"):
        return f"{STORE_VARIABLE} {uri!r} lacks its scheme; did you mean '{SQLITE}{folder}'?"
    found = f"{STORE_VARIABLE} {uri!r}" if named else f"the folder {Path(folder).resolve()}"
    then = "" if named else f"; or set {STORE_VARIABLE}={SQLITE}mlflow.db to begin a new one"
    return (
        f"{found} is MLflow's old store of files, which it no longer keeps up: 'mlflow "
        f"migrate-filestore --source {shlex.quote(folder)} --target {SQLITE}mlflow.db' takes its "
        f"runs along{then}; or set {_ALLOW_FILES}=true to go on with it."
    )


#: How MLflow, its server or a database's driver says what is in the way, and what a user is told.
#: `found` is the group of the pattern. The first that fits is taken.
_REFUSALS = (
    (
        r"out-of-date database schema",
        "{store} is of another version of MLflow. Copy the database, then 'mlflow db upgrade "
        "{quoted}'; if it was written by a newer MLflow, install that one.",
    ),
    (
        r"experiment (\S+) must be in the 'active' state",
        "the experiment {found} was deleted: 'mlflow experiments restore --experiment-id {found}' "
        "brings it back, or let {experiment} name another.",
    ),
    (
        r"MLFLOW_EXPERIMENT_ID environment variable value `([^`]*)`",
        "there is no experiment of id {found!r}, which MLFLOW_EXPERIMENT_ID names; 'mlflow "
        "experiments search' lists them, or let {experiment} name one.",
    ),
    (
        r"failed with error code 401",
        "{store} asks who you are (401): set {login}.",
    ),
    (
        r"failed with error code 403",
        "{store} knows you and does not let you in (403): ask its owner for the right to write, "
        "or be somebody else by {login}.",
    ),
    (
        r"failed with error code (?:404|3\d\d)|not in a valid JSON format",
        "what answers at {address} is no MLflow server; let {variable} name one ('mlflow server' "
        "prints its address).",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER",
        "{store} cannot be trusted: {said} MLFLOW_TRACKING_SERVER_CERT_PATH names its certificate; "
        "for a server without one the address begins with http://.",
    ),
    (
        r"error responses",
        "{store} answers with errors alone: look at its log, and try again.",
    ),
    (
        r"Connection refused|Failed to establish a new connection|NameResolutionError|"
        r"Max retries exceeded with url|connection failed|timed out",
        "{store} does not answer: start it, or let {variable} name another.",
    ),
)
_LOGIN = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


def refusal(
    uri: str, error: BaseException, registry: bool = False
) -> UsageError | OutageError | None:
    """Return what a user reads of a store that let no job in; None for an unknown cause."""
    said = " ".join(str(getattr(error, "message", None) or error).split())
    address = without_credentials(uri)
    store = f"the {'model registry' if registry else 'MLflow store'} {address}"
    if "filesystem tracking backend" in said:
        return UsageError(_files_advice(uri, os.environ.get(STORE_VARIABLE, "")))
    if isinstance(error, ModuleNotFoundError):
        return OutageError(f"{store} needs a driver that is missing: pip install {error.name}.")
    for pattern, message in _REFUSALS:
        if found := re.search(pattern, said):
            words = message.format(
                store=store,
                address=address,
                quoted=shlex.quote(address),
                found=found[found.re.groups],
                experiment=EXPERIMENT_VARIABLE,
                variable=_REGISTRY_VARIABLE if registry else STORE_VARIABLE,
                login=_LOGIN,
                said=shortened(said, 160),
            )
            return OutageError(words)
    return None
