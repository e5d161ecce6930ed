"""One prediction: what a trained detector says of files, as they are read."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL
from fakeface_bench.data.listing import printable
from fakeface_bench.progress import Progress
from fakeface_bench.records.prediction import Prediction, PredictionCounts
from fakeface_bench.serving.classifier import BATCH, FaceClassifier
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.tracking.model_files import detector_folder, model_version


def run_prediction(
    folder: Path,
    files: Sequence[Path],
    tell: Callable[[Prediction], object],
    progress: Progress,
    safe: bool = True,
) -> PredictionCounts:
    """Load a model and classify files with it.

    Args:
        folder: Of the model, as `tracking.model_source` yields it.
        files: As in `predict_files`.
        tell: As in `predict_files`.
        progress: Told of the files.
        safe: As in `load_classifier`.

    Raises:
        ModelError: If the model was trained on pictures decoded by other rules.
    """
    return predict_files(load_classifier(folder, safe), files, tell, progress)


def load_classifier(folder: Path, safe: bool = True) -> FaceClassifier:
    """Load the detector of an MLflow model; the folder is not needed any more then.

    Args:
        folder: Of the model.
        safe: Whether a network is refused that could run code of whoever made it.
    """
    return FaceClassifier.load(detector_folder(folder), model_version(folder), safe)


def predict_files(
    classifier: FaceClassifier,
    files: Sequence[Path],
    tell: Callable[[Prediction], object],
    progress: Progress,
) -> PredictionCounts:
    """Classify files, in flat memory; one that cannot be read costs its own row alone.

    Args:
        classifier: What a study has trained.
        files: Need not exist any more when their turn comes.
        tell: Called with each row, in the files' order.
        progress: Told of the files.
    """
    started = time.perf_counter()
    told: Counter[str | None] = Counter()
    verdicts = classifier.classify(files, partial(read_picture, allow_paths=True))
    with progress.stage("classifying", len(files), "images") as advance:
        for file, verdict in zip(files, verdicts, strict=True):
            tell(Prediction(path=printable(file), **asdict(verdict)))
            told[verdict.label] += 1
            if told.total() % BATCH == 0:
                advance(BATCH)
        advance(len(files) % BATCH)
    seconds = time.perf_counter() - started
    return PredictionCounts(told[CLASS_NAMES[REAL]], told[CLASS_NAMES[FAKE]], told[None], seconds)
