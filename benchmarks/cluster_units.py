"""Units that stand in for real ones in benchmarks/cluster.py: they wait, or make empty rows.

Nothing here loads TensorFlow where workers import it: 64 of them have one machine's memory.
"""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import TrialConfig
from fakeface_bench.data.array_store import Took
from fakeface_bench.records.study import EpochRecord
from fakeface_bench.support.executor import Ended, Executor, Hear, Tell, hear_nothing


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waits as long as a real unit works."""

    seconds: float
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> float:
        """Wait, and return for how long."""
        began = time.perf_counter()
        time.sleep(self.seconds)
        return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class WaitingTrial:
    """Tells epochs as a trial does, and learns nothing."""

    config: TrialConfig
    seconds: float
    epochs: int
    value: float
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> float:
        """Wait, epoch by epoch, and return its value."""
        tell(self.config)
        for number in range(self.epochs):
            time.sleep(self.seconds / self.epochs)
            tell(EpochRecord(number, 0.5, 0.8, 0.5, 0.8, self.value, self.seconds / self.epochs, 0))
        return self.value


@dataclass(frozen=True, slots=True)
class EmptyRows:
    """Takes pictures, and returns rows as wide as features without looking at any."""

    paths: Sequence[Path]
    digests: Sequence[str]
    width: int
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> tuple[dict[str, npt.NDArray[np.float16]], Took]:
        """Return them."""
        count = len(self.paths)
        return {"pooled": np.zeros((count, self.width), np.float16)}, Took(1.0, count, 1.0)


class StandIn:
    """Has an executor run other units in place of real ones.

    Args:
        seconds: That trials take, one after another.
        width: Of the rows that extraction makes.
    """

    def __init__(self, executor: Executor, seconds: tuple[float, ...] = (), width: int = 0) -> None:
        self._executor, self._seconds, self._width = executor, seconds, width
        self._begun = 0

    @property
    def detail(self) -> str:
        """As of the executor."""
        return self._executor.detail

    @property
    def free(self) -> int:
        """As of the executor."""
        return self._executor.free

    def shared(self, value: Any) -> AbstractContextManager[Any]:
        """Share nothing of it: what stands in needs none."""
        return self._executor.shared(None)

    def results(
        self, units: Iterable[Any], hear: Hear = hear_nothing
    ) -> Generator[Ended[Any], None, None]:
        """Yield what the others end with, as the real ones would."""
        from fakeface_bench.search.trial import TrialEnd

        with closing(self._executor.results(self._others(units), hear)) as results:
            for ended in results:
                is_value = isinstance(ended.result, float)
                yield replace(ended, result=TrialEnd(ended.result)) if is_value else ended

    def _others(self, units: Iterable[Any]) -> Iterator[Any]:
        from fakeface_bench.features.extraction import ExtractionUnit
        from fakeface_bench.search.trial import TrialUnit

        for unit in units:
            if isinstance(unit, ExtractionUnit):
                yield EmptyRows(unit.pictures.paths, unit.pictures.digests, self._width)
            elif isinstance(unit, TrialUnit):
                number, self._begun = self._begun, self._begun + 1
                seconds = self._seconds[number % len(self._seconds)]
                yield WaitingTrial(unit.config, seconds, 10, 0.5 + number % 7 / 100)
