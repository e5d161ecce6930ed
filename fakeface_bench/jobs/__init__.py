"""The jobs beside a study: compare, suite, evaluate, generalise, robustness, predict, audit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class JobOutcome(Generic[Result]):
    """What a finished job leaves: its result, and where MLflow and a folder hold it.

    `failure` says which studies of a suite or a matrix failed; it is empty where none did.
    """

    result: Result
    run_id: str
    experiment_id: str
    folder: Path | None = None
    failure: str = ""
