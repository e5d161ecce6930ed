"""A place of its own for whole studies: a store, a study file and a cache."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import mlflow
import pytest
from matplotlib.figure import Figure
from mlflow.entities import Run
from PIL import Image

from fakeface_bench.config import StudyConfig
from fakeface_bench.report import drawing
from fakeface_bench.study import run as study
from fakeface_bench.study.run import StudyOutcome, run_study
from tests.conftest import RecordedProgress

SIZE = 96


@dataclass
class Workplace:
    """A folder with its own MLflow store and study file, and a cache."""

    folder: Path
    config: StudyConfig
    cache: Path
    store_file: str = "mlflow.db"

    @property
    def client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(self.store)

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / self.store_file}"

    def run(
        self, explained: bool = False, **changes: object
    ) -> tuple[StudyOutcome, RecordedProgress]:
        """Run the study as in a new process: in this folder, with this store.

        Pictures take seconds, so only one study here has those that are looked at.
        """
        progress = RecordedProgress()
        with self.here() as patch:
            if not explained:
                quicken(patch)
            return run_study(replace(self.config, **changes), progress), progress

    @contextmanager
    def here(self) -> Iterator[pytest.MonkeyPatch]:
        """Work in this folder, with its store and cache."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FAKEFACE_CACHE", str(self.cache))
            patch.setenv("MLFLOW_TRACKING_URI", self.store)
            patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
            patch.chdir(self.folder)
            yield patch

    def trials_of(self, run_id: str) -> list[Run]:
        """Return the child runs of a run, by trial number."""
        query = f"tags.`mlflow.parentRunId` = '{run_id}' and tags.`fakeface.kind` = 'trial'"
        runs = self.client.search_runs(["0"], query)
        return sorted(runs, key=lambda run: int(run.data.tags["fakeface.trial"]))


def quicken(patch: pytest.MonkeyPatch) -> None:
    """Let studies do without pictures that explain them, and leave their other pictures white.

    Drawing takes a study of eighty faces a quarter of its time; `tests/report` looks at pictures.
    """
    patch.setattr(study, "explain_winner", lambda *arguments: None)
    patch.setattr(study, "drawn_apart", nullcontext)
    patch.setattr(drawing, "_draw", _white)


def _white(figure: Figure, path: Path) -> None:
    width, height = (round(inches * drawing.DPI) for inches in figure.get_size_inches())
    Image.new("RGB", (width, height), "white").save(path)


def workplace(folder: Path, faces: Path, cache: Path | None = None) -> Workplace:
    """Return a place whose cache is its own, and cold, unless another is given."""
    config = StudyConfig(
        model="mobilenetv3_small",
        data=str(faces),
        trials=3,
        epochs=3,
        image_size=SIZE,
        weights="random",
    )
    return Workplace(folder, config, cache or folder / "cache")
