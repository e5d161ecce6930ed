"""What the tests share: a cache of their own, one tiny dataset, TensorFlow imported once."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Processes that share a machine keep to a core each: threads that wait for others take a sixth of
#: the time. Before NumPy and TensorFlow are imported, which look once.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) >= (os.cpu_count() or 1):
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
    ):
        os.environ.setdefault(name, "1")

import numpy as np
import numpy.typing as npt
import pytest

from fakeface_bench.data.decode import AS_THEY_ARE, Equalisation, decode_bytes, seen_pixels
from fakeface_bench.data.synthetic.dataset import write_synthetic
from fakeface_bench.support import machine
from fakeface_bench.support.machine import may_have_bfloat16, start_tensorflow
from fakeface_bench.support.processes import collect_seldom
from fakeface_bench.support.progress import Advance

collect_seldom()
start_tensorflow()

SHARED = Path(__file__).resolve().parents[2] / "shared"
TINY_IMAGES = 80


NEEDS_BFLOAT16 = pytest.mark.skipif(
    not may_have_bfloat16(), reason="this machine's processor has no bfloat16"
)


class RecordedProgress:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.stages: list[tuple[str, int]] = []

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        self.stages.append((title, total))
        yield lambda units: None

    def say(self, line: str) -> None:
        self.lines.append(line)

    def warn(self, line: str) -> None:
        self.warnings.append(line)


def load_image(
    path: Path, size: int, fit: str, equalisation: Equalisation = AS_THEY_ARE
) -> npt.NDArray[np.uint8]:
    """Read one file as the network sees it, without anything that readers of many do."""
    return seen_pixels(decode_bytes(path), size, fit, equalisation)


@pytest.fixture
def progress() -> RecordedProgress:
    return RecordedProgress()


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test out of the user's cache; what is expensive is shared by the session."""
    monkeypatch.setenv("FAKEFACE_CACHE", str(session_cache))
    monkeypatch.setenv("FAKEFACE_STUDIES", str(session_cache / "studies"))
    return session_cache


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is empty at the start of the test."""
    folder = tmp_path / "fresh_cache"
    monkeypatch.setenv("FAKEFACE_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def own_code() -> Iterator[None]:
    """MLflow puts a loaded model's code on the path, where spawned processes would find it."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture(autouse=True)
def no_energy_meter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """CodeCarbon looks the machine over for seconds; its own tests and processes measure."""
    if "energy" not in request.node.path.name:
        monkeypatch.setattr(machine, "find_spec", lambda name: None)


@pytest.fixture(scope="session")
def tiny_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty drawn faces in the 140k layout; not to be written to."""
    folder = tmp_path_factory.mktemp("tiny_faces")
    write_synthetic(folder, images=TINY_IMAGES, seed=0)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, in which pages are opened as a reader would."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


def shared(path: str) -> Path:
    """Return a file or folder of real faces or weights; the test skips where it is absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"needs {path}, which is not part of the project")
    return found
