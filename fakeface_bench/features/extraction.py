"""Passes pictures through a frozen network: here, batch after batch, or by units on a cluster."""

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.data.array_store import Rows, Took, Values
from fakeface_bench.data.deadly import results_over_pictures
from fakeface_bench.data.pictures import Pictures, stream_images, stream_rows
from fakeface_bench.features.engine import Engine
from fakeface_bench.features.engines import open_engine
from fakeface_bench.support.executor import Executor, Shared, Tell

#: Pictures of a unit: at least so many, and so many batches.
UNIT_ROWS, UNIT_BATCHES = 256, 4


@dataclass(frozen=True)
class Extractor:
    """From pictures to their features; it travels without its engine, which a machine makes.

    Attributes:
        engine_name: One of `config.ENGINES`.
        batch_size: Pictures that pass at once.
        mirrored: Whether each picture is mirrored left to right.
    """

    model: keras.Model
    engine_name: str
    batch_size: int
    mirrored: bool = False

    @cached_property
    def engine(self) -> Engine:
        """What pictures pass, made at first use and kept."""
        return open_engine(self.engine_name, self.model, self.batch_size)

    def __call__(self, batch: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Return the features of some pictures, uint8 (n, size, size, 3), by name."""
        return self.engine(batch[:, :, ::-1] if self.mirrored else batch)

    def __reduce__(self) -> tuple[type["Extractor"], tuple[Any, ...]]:
        """Let it travel without its engine."""
        return Extractor, (self.model, self.engine_name, self.batch_size, self.mirrored)

    @property
    def layout(self) -> dict[str, np.dtype[Any]]:
        """The type of one row of each array, which is kept in half precision."""
        outputs = self.model.output.items()
        return {name: np.dtype((np.float16, (output.shape[1],))) for name, output in outputs}


#: Rows, their features, and what they took where this process's clock does not tell.
Extracted = tuple[Rows, Values, Took | None]


def extracted_here(
    extractor: Extractor, pictures: Pictures, rows: Rows
) -> Generator[Extracted, None, None]:
    """Pass some of the pictures through the network, in this process."""
    for of_batch, batch in stream_rows(pictures, rows, extractor.batch_size):
        yield of_batch, extractor(batch), None


@dataclass(frozen=True, slots=True)
class ExtractionUnit:
    """Some pictures to pass through a network."""

    extractor: Shared[Extractor]
    pictures: Pictures
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> tuple[dict[str, npt.NDArray[np.float16]], Took]:
        """Return their features by name, and what they took.

        Raises:
            DataError: If a file cannot be decoded any more, or holds another picture.
        """
        began = time.perf_counter()
        extractor = self.extractor.get()
        parts: list[dict[str, npt.NDArray[Any]]] = []
        steady = began
        for batch in stream_images(self.pictures, extractor.batch_size):
            parts.append(extractor(batch))
            if len(parts) == 1:  # which may have compiled a graph
                steady = time.perf_counter()
        values = {
            name: np.concatenate([part[name] for part in parts]).astype(np.float16)
            for name in parts[0]
        }
        ended = time.perf_counter()
        later = max(0, len(self.pictures.paths) - extractor.batch_size)
        return values, Took(ended - began, later, ended - steady)


def extracted_by(
    executor: Executor, extractor: Extractor, pictures: Pictures, rows: Rows
) -> Generator[Extracted, None, None]:
    """Pass some of the pictures through the network where an executor does, as they end.

    Units are whole batches, so that each picture passes in the batch that it would be in here.

    Raises:
        DataError: If a picture cannot be decoded any more, or kills what decodes it; the latter is
            left out of every dataset from then on.
        ClusterError: If one unit's processes die, and no picture of it is why.
    """
    size = extractor.batch_size
    step = max(UNIT_ROWS // size, UNIT_BATCHES) * size
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]

    def read(number: int) -> tuple[Sequence[Path], Sequence[str]]:
        some = pictures.some(parts[number])
        return some.paths, some.digests

    with executor.shared(extractor) as shared:
        units = (ExtractionUnit(shared, pictures.some(part)) for part in parts)
        results = results_over_pictures(executor, units, read)
        with closing(results):
            for number, (values, took) in results:
                yield parts[number], values, took
