"""Scores pictures by a finished model: in this process, or by units on a cluster."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from fakeface_bench.data.corruptions import CONDITIONS, pictures_of
from fakeface_bench.data.deadly import results_over_pictures
from fakeface_bench.data.pictures import ChangedError, Pictures, indexed_bytes, stream_images
from fakeface_bench.records.study import FloatArray
from fakeface_bench.serving.classifier import BATCH, FaceClassifier
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.support.errors import DataError, ModelError
from fakeface_bench.support.executor import THIS_PROCESS, Executor, Shared, Tell
from fakeface_bench.support.machine import own_cores
from fakeface_bench.support.progress import Advance, Progress, show_detail


class Scorer(Protocol):
    """How a model scores files; it survives `pickle` where its classifier does.

    Attributes:
        title: What is done, for people.
        columns: Scores of a file.
        unit_files: Files of a unit.
    """

    @property
    def title(self) -> str: ...

    @property
    def columns(self) -> int: ...

    @property
    def unit_files(self) -> int: ...

    @property
    def classifier(self) -> FaceClassifier: ...

    def scores(self, files: Sequence[Path], digests: Sequence[str], advance: Advance) -> FloatArray:
        """Return the probabilities of fake of some files, shape (n, columns).

        Args:
            digests: SHA-256 of each, as hexadecimal text.
        """
        ...


@dataclass(frozen=True, slots=True)
class AsTheyAre:
    """Scores pictures as they are; a `Scorer`."""

    classifier: FaceClassifier
    title: str
    columns: ClassVar[int] = 1
    unit_files: ClassVar[int] = 8 * BATCH

    def scores(self, files: Sequence[Path], digests: Sequence[str], advance: Advance) -> FloatArray:
        """Return the probability of fake of each file, shape (n, 1)."""
        facts = self.classifier.facts
        size = facts.image_size_px
        pictures = Pictures(files, size, facts.fit, size, facts.equalisation, digests)
        scored = []
        for images in stream_images(pictures, BATCH):
            scored.append(self.classifier.probabilities(images))
            advance(len(images))
        return np.concatenate(scored)[:, None]


#: Files under way in each thread: one being corrupted, one waiting for the network.
_FILES_A_THREAD = 2


@dataclass(frozen=True, slots=True)
class Corrupted:
    """Scores each picture untouched and under each of `CONDITIONS`; a `Scorer`.

    Attributes:
        seed: With a file's digest it decides the noise.
    """

    classifier: FaceClassifier
    seed: int
    title: ClassVar[str] = f"scoring corrupted pictures ({len(CONDITIONS)} kinds)"
    columns: ClassVar[int] = 1 + len(CONDITIONS)
    unit_files: ClassVar[int] = BATCH

    def scores(self, files: Sequence[Path], digests: Sequence[str], advance: Advance) -> FloatArray:
        """Return the probabilities of fake, shape (n, 1 + conditions).

        A file's variants are one batch of the network. A few files are corrupted ahead in threads
        while another's is in the network, so memory stays flat however many there are.
        """
        scores = np.empty((len(files), self.columns))
        threads = own_cores()
        ahead: deque[Future[npt.NDArray[np.uint8]]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                waiting = iter(zip(files, digests, strict=True))
                for row, file in enumerate(files):
                    while len(ahead) < _FILES_A_THREAD * threads and (
                        following := next(waiting, None)
                    ):
                        ahead.append(pool.submit(self._variants, *following))
                    scores[row] = self.classifier.probabilities(ahead.popleft().result())
                    if not np.isfinite(scores[row]).all():
                        raise ModelError(
                            f"the network gives no number for {file} or for a corrupted copy of it."
                        )
                    advance(1)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        return scores

    def _variants(self, file: Path, digest: str) -> npt.NDArray[np.uint8]:
        """Return a file's pictures as the network sees them, (1 + conditions, side, side, 3)."""
        try:
            picture = read_picture(indexed_bytes(file, digest))
        except ChangedError:
            raise
        except DataError as error:
            raise DataError(f"{file}: {error}") from error
        variants = pictures_of(picture, digest, self.seed)
        return np.stack([self.classifier.pixels(variant) for variant in variants])


@dataclass(frozen=True, slots=True)
class ScoringUnit:
    """Some files to score."""

    scorer: Shared[Scorer]
    files: Sequence[Path]
    digests: Sequence[str]
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> FloatArray:
        """Return their scores."""
        return self.scorer.get().scores(self.files, self.digests, lambda files: None)


def scores_by(
    executor: Executor,
    scorer: Scorer,
    files: Sequence[Path],
    digests: Sequence[str],
    progress: Progress,
) -> FloatArray:
    """Return the scores of files, in their order, shape (n, columns).

    A detector of others runs in this process, which alone has opened it.

    Raises:
        DataError: If a file cannot be decoded, or kills what decodes it.
        ClusterError: If one unit's processes die, and no picture of it is why.
    """
    with progress.stage(scorer.title, len(files), "images") as advance:
        if executor is THIS_PROCESS or scorer.classifier.network is None:
            return scorer.scores(files, digests, advance)
        scores = np.empty((len(files), scorer.columns))
        step = scorer.unit_files
        parts = [slice(start, start + step) for start in range(0, len(files), step)]
        with executor.shared(scorer) as shared:
            units = (ScoringUnit(shared, files[part], digests[part]) for part in parts)
            results = results_over_pictures(
                executor, units, lambda number: (files[parts[number]], digests[parts[number]])
            )
            with closing(results):
                for number, scored in results:
                    scores[parts[number]] = scored
                    advance(len(scored))
                    show_detail(advance, executor.detail)
        return scores
