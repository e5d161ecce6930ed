"""Files through every corruption and a trained detector, each decoded once, in flat memory."""

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeface_bench.data.corruptions import CONDITIONS, pictures_of
from fakeface_bench.data.indexed import ChangedError, indexed_bytes
from fakeface_bench.errors import DataError, ModelError
from fakeface_bench.progress import Progress
from fakeface_bench.records import FloatArray
from fakeface_bench.serving.classifier import FaceClassifier
from fakeface_bench.serving.pictures import read_picture

#: Files under way in each thread: one being corrupted, one waiting for the network.
_FILES_A_THREAD = 2


def corrupted_scores(
    classifier: FaceClassifier,
    files: Sequence[Path],
    digests: Sequence[str],
    seed: int,
    progress: Progress,
) -> FloatArray:
    """Return the probability of fake of each file untouched and under each of `CONDITIONS`.

    A file's variants are one batch of the network. A few files are corrupted ahead in threads while
    another's is in the network, so memory stays flat however many there are.

    Args:
        classifier: What a study has trained; it fits the corrupted pictures as any other.
        files: In any order.
        digests: SHA-256 of each as hexadecimal text; with the seed they decide its noise.
        seed: Of the noise.
        progress: Told of the files.

    Returns:
        Shape (n, 1 + conditions), in the order of the files.

    Raises:
        DataError: If a file cannot be read, or is not the one that was indexed; it names it.
        ModelError: If the network gives no number for one.
    """
    scores = np.empty((len(files), 1 + len(CONDITIONS)))
    threads = os.cpu_count() or 1
    ahead: deque[Future[npt.NDArray[np.uint8]]] = deque()
    title = f"scoring corrupted pictures ({len(CONDITIONS)} kinds)"
    with (
        ThreadPoolExecutor(threads) as pool,
        progress.stage(title, len(files), "images") as advance,
    ):
        try:
            waiting = iter(zip(files, digests, strict=True))
            for row, file in enumerate(files):
                while len(ahead) < _FILES_A_THREAD * threads and (following := next(waiting, None)):
                    ahead.append(pool.submit(_corrupted, classifier, *following, seed))
                scores[row] = _probabilities(classifier, ahead.popleft().result(), file)
                advance(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return scores


def _corrupted(
    classifier: FaceClassifier, file: Path, digest: str, seed: int
) -> npt.NDArray[np.uint8]:
    """Return a file's pictures as the network sees them, shape (1 + conditions, side, side, 3)."""
    try:
        picture = read_picture(indexed_bytes(file, digest))
    except ChangedError:
        raise
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    return np.stack([classifier.pixels(variant) for variant in pictures_of(picture, digest, seed)])


def _probabilities(
    classifier: FaceClassifier, pixels: npt.NDArray[np.uint8], file: Path
) -> FloatArray:
    scores = classifier.probabilities(pixels)
    if not np.isfinite(scores).all():
        raise ModelError(f"the network gives no number for {file} or for a corrupted copy of it.")
    return scores
