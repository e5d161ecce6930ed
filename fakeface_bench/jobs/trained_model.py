"""A finished model opened to score pictures that its study never saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.config import BEST
from fakeface_bench.data.pictures import Pictures, stream_images
from fakeface_bench.data.seen import SEEN_FILE, SeenImages
from fakeface_bench.features.source import LoggedSource
from fakeface_bench.features.store import cached_features
from fakeface_bench.jobs.predict import load_classifier
from fakeface_bench.jobs.test_sets import TestSet
from fakeface_bench.records.study import FloatArray
from fakeface_bench.records.transfer import Overlap, TrainedModel
from fakeface_bench.serving.classifier import BATCH, FaceClassifier
from fakeface_bench.study.register import best_study
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking.model_files import detector_folder, model_facts
from fakeface_bench.tracking.model_source import fetched_model
from fakeface_bench.training.batches import FEATURE_BATCH
from fakeface_bench.training.networks import DetectorParts, detector_parts


@dataclass(frozen=True)
class Trained:
    """A finished model.

    Attributes:
        seen: The images it was trained and chosen on.
        parts: Its frozen features and its head, where no more than the head was trained.
    """

    model: TrainedModel
    classifier: FaceClassifier
    seen: SeenImages
    parts: DetectorParts | None

    def unseen(self, test_set: TestSet, progress: Progress) -> tuple[pd.DataFrame, Overlap]:
        """Return the rows of a test set that it never saw, nor copies of them, and how many others.

        The rows keep their numbers in the set; a warning tells of the others.
        """
        rows = test_set.rows
        identical = self.seen.identical(rows["digest"])
        similar = self.seen.similar(test_set.signatures) & ~identical
        overlap = Overlap(int(identical.sum()), int(similar.sum()))
        if overlap.images:
            progress.warn(
                f"left out {overlap.images:,} of {len(rows):,} images of {test_set.name}: "
                f"{self.model.label}, trained on {self.model.data}, saw {overlap.identical:,} of "
                f"them and copies of {overlap.similar:,}"
            )
        return rows[~identical & ~similar], overlap

    def scores(self, test_set: TestSet, progress: Progress) -> FloatArray:
        """Return the probability of fake of every image of a test set, in the order of its rows.

        Of a frozen backbone the features are cached as a study's are, and found where a study, or
        another model on the same backbone, has extracted them.
        """
        rows = test_set.rows
        files, digests = test_set.index.files(rows), list(rows["digest"])
        facts = self.classifier.facts
        if self.parts is None or not facts.features:
            size = facts.image_size_px
            pictures = Pictures(files, size, facts.fit, size, facts.jpeg_quality, digests)
            return self._scores_of_pictures(test_set.name, pictures, progress)
        source = LoggedSource(
            title=self.model.label,
            fit=facts.fit,
            batch_size=BATCH,
            jpeg_quality=facts.jpeg_quality,
            logged_model=self.parts.features,
            logged_identity=facts.features,
        )
        arrays = cached_features(source, digests, files, progress).arrays
        some = [slice(start, start + FEATURE_BATCH) for start in range(0, len(rows), FEATURE_BATCH)]
        scored = [
            self.parts.head([arrays[name][batch] for name in self.parts.names], training=False)
            for batch in some
        ]
        return np.concatenate(scored).astype(np.float64)[:, 0]

    def _scores_of_pictures(self, name: str, pictures: Pictures, progress: Progress) -> FloatArray:
        scored = []
        with progress.stage(f"scoring {name}", len(pictures.paths), "images") as advance:
            for batch in stream_images(pictures, BATCH):
                scored.append(self.classifier.probabilities(batch.numpy()))
                advance(len(batch))
        return np.concatenate(scored)


def open_trained(
    model: str, experiment_id: str, progress: Progress, allow_unsafe: bool = False
) -> Trained:
    """Open a finished model.

    Args:
        model: Address in the registry, id of a run, folder of an MLflow model, or `best`.
        experiment_id: Where `best` looks.
        allow_unsafe: As in `fetched_model`.

    Raises:
        UsageError: If there is no such model, it is unsafe or of another kind, or does not tell
            what it saw.
        ModelError: If it is damaged, or cannot be reached.
    """
    address = _best(experiment_id, progress) if model == BEST else model
    with fetched_model(address, allow_unsafe) as folder:
        run_id, noted = model_facts(folder)
        seen = _seen(detector_folder(folder) / SEEN_FILE, address)
        classifier = load_classifier(folder, safe=not allow_unsafe)
    return Trained(
        model=_described(address, run_id, noted, classifier, len(seen)),
        classifier=classifier,
        seen=seen,
        parts=detector_parts(classifier.network),
    )


def _best(experiment_id: str, progress: Progress) -> str:
    """Return the run of the best study, and tell how it was chosen."""
    best = best_study(experiment_id, "", progress)
    for line in best.description:
        progress.say(line)
    return best.study.run_id


def _seen(file: Path, address: str) -> SeenImages:
    if not file.exists():
        raise UsageError(
            f"the model {address!r} does not tell which images it was trained on: an earlier "
            "version of fakeface_bench logged it. Run its study again."
        )
    return SeenImages.read(file)


def _described(
    address: str, run_id: str, noted: Mapping[str, Any], classifier: FaceClassifier, seen: int
) -> TrainedModel:
    return TrainedModel(
        label=str(noted["label"]),
        address=address,
        run_id=run_id,
        data=str(noted["dataset"]),
        kinds={str(source): str(kind) for source, kind in noted["kinds"].items()},
        threshold=classifier.facts.threshold,
        images_seen=seen,
    )
