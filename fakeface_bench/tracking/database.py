"""Which database an address of MLflow's or Optuna's names."""

from pathlib import Path
from urllib.parse import unquote

SQLITE = "sqlite:///"


def database_of(uri: str) -> str:
    """Return what a URI names: a SQLite file however it is spelled, else the URI itself."""
    if not uri.startswith(SQLITE):
        return uri
    return str(Path(unquote(uri.removeprefix(SQLITE))).resolve())
