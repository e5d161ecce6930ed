"""What a killed fit goes on from: every value of its last finished epoch, in one file."""

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.config import TrialConfig
from fakeface_bench.data.array_store import content_key
from fakeface_bench.records.study import EpochRecord, last_stage
from fakeface_bench.support.disk import disk_errors_named, replaced_whole, room_for
from fakeface_bench.support.executor import Tell
from fakeface_bench.support.parcel import FileContent
from fakeface_bench.training.epochs import Course
from fakeface_bench.training.networks import FitTask

_FACTS = "facts"
_VARIABLES = "variables"
_OPTIMIZER = "optimizer"
_BEST = "best"
#: What the archive says of one array, twice.
_HEADER_BYTES = 512

Arrays = list[npt.NDArray[Any]]


class Checkpoint:
    """The state of one fit after its last finished epoch, in memory, and on disk where wanted.

    The file is named after the options, in the folder of their study, so that a trial that is run
    again finds what its killed forerunner left; it is replaced whole or not at all.
    """

    def __init__(self, task: FitTask, config: TrialConfig) -> None:
        self._path = checkpoint_file(task, config)
        self._course = Course()
        self._variables: Arrays = []
        self._optimizer: Arrays = []
        self.batch_size = 0
        if self._path is not None and self._path.exists():
            self._load(self._path, task)

    def course(self) -> Course:
        """Return how far the fit has come; what is done to it is kept with `keep`."""
        return self._course

    def restore(self, model: keras.Model, batch_size: int, steps_per_epoch: int) -> None:
        """Give a compiled model the values that it had; nothing happens before the first epoch.

        Args:
            batch_size: With another than before, the schedule of the learning rate, which counts
                steps, is set to where these epochs end.
        """
        if not self._variables:
            return
        _assign(model.variables, self._variables)
        _assign(model.optimizer.variables, self._optimizer)
        if batch_size == self.batch_size:
            return
        done = len(last_stage(self._course.epochs))
        model.optimizer.iterations.assign(done * steps_per_epoch)

    def keep(self, model: keras.Model, batch_size: int) -> None:
        """Write down the state after an epoch.

        Raises:
            DiskError: If there is no room for it; that of the epoch before is still there then.
        """
        self.batch_size = batch_size
        self._variables = _values(model.variables)
        self._optimizer = _values(model.optimizer.variables)
        if self._path is not None:
            self._write(self._path)

    def _write(self, path: Path) -> None:
        course = self._course
        facts = {
            "epochs": [asdict(epoch) for epoch in course.epochs],
            "best": course.best,
            "batch_size": self.batch_size,
        }
        groups = {
            _VARIABLES: self._variables,
            _OPTIMIZER: self._optimizer,
            _BEST: list(course.best_weights),
        }
        arrays: dict[str, Any] = {_FACTS: np.array(json.dumps(facts))}
        for group, values in groups.items():
            arrays |= {f"{group}/{number}": value for number, value in enumerate(values)}
        needed = sum(array.nbytes + _HEADER_BYTES for array in arrays.values())
        with _replacing(path, needed) as draft, open(draft, "wb") as file:
            np.savez(file, **arrays)

    def _load(self, path: Path, task: FitTask) -> None:
        try:
            # The archive keeps a checksum of every array.
            with open(path, "rb") as kept, np.load(kept) as file:
                facts = json.loads(str(file[_FACTS]))
                epochs = [EpochRecord(**epoch) for epoch in facts["epochs"]]
                groups = {
                    group: [file[name] for name in file.files if name.startswith(f"{group}/")]
                    for group in (_VARIABLES, _OPTIMIZER, _BEST)
                }
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError, OSError) as error:
            task.warn(f"the checkpoint {path} is broken ({error}); this fit starts again")
            return
        self._course = Course(epochs, facts["best"], groups[_BEST])
        self._variables, self._optimizer = groups[_VARIABLES], groups[_OPTIMIZER]
        self.batch_size = facts["batch_size"]


@contextmanager
def _replacing(path: Path, needed: int) -> Iterator[Path]:
    """Yield where to write what replaces a file, whole or not at all; so many bytes are needed."""
    draft = path.with_suffix(f".{os.getpid()}")
    with disk_errors_named(path.parent), room_for(path.parent, needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_whole(path, draft):
            yield draft


def checkpoint_file(task: FitTask, config: TrialConfig) -> Path | None:
    """Return where the state of a fit lies, or would; None where nothing is kept."""
    if task.checkpoints is None:
        return None
    of = {
        **config.as_params(),
        "precision": task.precision,
        "keras": keras.__version__,
        "reads": [name for name, _ in task.network.parts(config.head)],
        **({"part": task.part} if task.part else {}),
    }
    return task.checkpoints / f"{content_key(of)}.npz"


def kept_files(task: FitTask, config: TrialConfig) -> tuple[Path, ...]:
    """Return what is kept of a fit and of its folds, or will be; in a folder that is there."""
    if task.checkpoints is None:
        return ()
    with disk_errors_named(task.checkpoints):
        task.checkpoints.mkdir(parents=True, exist_ok=True)
    fits = [*task.folds, task]
    return tuple(filter(None, (checkpoint_file(fit, config) for fit in fits)))


@dataclass(frozen=True, slots=True)
class KeptFit:
    """What a fit on another machine has written down: the name and content of a file."""

    name: str
    content: bytes

    def write(self, folder: Path) -> None:
        """Write it down here.

        Raises:
            DiskError: If there is no room for it.
        """
        with _replacing(folder / self.name, len(self.content)) as draft:
            draft.write_bytes(self.content)


@contextmanager
def told_checkpoints(
    task: FitTask, kept: Sequence[FileContent | None], tell: Tell
) -> Iterator[tuple[FitTask, Tell]]:
    """Let a fit go on, on a machine that does not see where its checkpoints lie.

    What has travelled with it is written into a folder for the block; what it writes there is told
    before the epoch that it is of.

    Args:
        kept: What `kept_files` were when the unit was handed out; None for one that was not there.

    Yields:
        The task, and by what it tells; both as they came where the folder is seen.
    """
    if task.checkpoints is not None or not kept:
        yield task, tell
        return
    with TemporaryDirectory() as place:
        folder, written = Path(place), dict[str, int]()
        for file in filter(None, kept):
            path = folder / Path(file.name).name
            path.write_bytes(file.content)
            written[path.name] = path.stat().st_mtime_ns

        def tell_more(told: Any) -> None:
            for path in sorted(folder.glob("*.npz")):
                changed = path.stat().st_mtime_ns
                if written.get(path.name) != changed:
                    written[path.name] = changed
                    tell(KeptFit(path.name, path.read_bytes()))
            tell(told)

        yield task.changed(checkpoints=folder), tell_more


def forget_fit(task: FitTask, config: TrialConfig) -> None:
    """Delete what was kept of a fit, and of its folds."""
    for fold in task.folds:
        forget_fit(fold, config)
    path = checkpoint_file(task, config)
    if path is not None and path.parent.exists():
        for file in path.parent.glob(f"{path.stem}.*"):  # a draft that a kill left, too
            file.unlink(missing_ok=True)


def _values(variables: Sequence[Any]) -> Arrays:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _assign(variables: Sequence[Any], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
