"""A finished model opened to score pictures that its study never saw."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fakeface_bench.backbones.detector_file import detector_file
from fakeface_bench.config import BEST, CLASS_NAMES, FAKE, REAL, TENSORFLOW_ENGINE
from fakeface_bench.data.decode import AS_THEY_ARE
from fakeface_bench.data.seen import SEEN_FILE, SeenImages
from fakeface_bench.features.source import LoggedSource
from fakeface_bench.features.store import cached_features
from fakeface_bench.jobs.external_detector import (
    External,
    open_external_file,
    open_external_model,
)
from fakeface_bench.jobs.predict import load_classifier
from fakeface_bench.jobs.scoring import AsTheyAre, scores_by
from fakeface_bench.jobs.test_sets import TestSet
from fakeface_bench.records.study import FloatArray, UnsureBand
from fakeface_bench.records.transfer import Overlap, TrainedModel
from fakeface_bench.serving.classifier import BATCH, FaceClassifier
from fakeface_bench.study.register import best_study
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.executor import THIS_PROCESS, Executor
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking.model_files import detector_folder, is_detector, model_facts
from fakeface_bench.tracking.model_source import fetched_model, flavours_of
from fakeface_bench.training.batches import FEATURE_BATCH
from fakeface_bench.training.networks import DetectorParts, detector_parts


@dataclass(frozen=True)
class Trained:
    """A finished model, and the images it was trained and chosen on.

    `parts` are its frozen features and its head, where no more than the head was trained.
    """

    model: TrainedModel
    classifier: FaceClassifier
    seen: SeenImages
    parts: DetectorParts | None

    def unseen(self, test_set: TestSet, progress: Progress) -> tuple[pd.DataFrame, Overlap]:
        """Return the rows of a test set that it saw neither itself nor copies of, and the overlap.

        The rows keep their numbers in the set.
        """
        rows = test_set.rows
        identical = self.seen.identical(rows["digest"])
        similar = self.seen.similar(test_set.signatures) & ~identical
        labels = rows["label"].to_numpy()
        shares = {
            CLASS_NAMES[label]: float(similar[labels == label].mean())
            for label in (REAL, FAKE)
            if label in labels
        }
        overlap = Overlap(int(identical.sum()), int(similar.sum()), shares)
        if overlap.images:
            progress.warn(
                f"left out {overlap.images:,} of {len(rows):,} images of {test_set.name}: "
                f"{self.model.label}, trained on {self.model.data}, saw {overlap.identical:,} of "
                f"them and copies of {overlap.similar:,}"
            )
        return rows[~identical & ~similar], overlap

    @property
    def unsure(self) -> UnsureBand | None:
        """The scores at which it is unsure; None where it never is."""
        low, high = self.classifier.facts.unsure_low, self.classifier.facts.unsure_high
        return UnsureBand(low, high) if low < high else None

    def scores(
        self, test_set: TestSet, progress: Progress, executor: Executor = THIS_PROCESS
    ) -> FloatArray:
        """Return the probability of fake of every image of a test set, in the order of its rows.

        Features of a frozen backbone come from the cache that studies and other models share.
        """
        rows = test_set.rows
        files, digests = test_set.index.files(rows), list(rows["digest"])
        facts = self.classifier.facts
        if self.parts is None or not facts.features:
            scorer = AsTheyAre(self.classifier, f"scoring {test_set.name}")
            return scores_by(executor, scorer, files, digests, progress)[:, 0]
        source = LoggedSource(
            title=self.model.label,
            fit=facts.fit,
            batch_size=BATCH,
            equalisation=facts.equalisation,
            logged_model=self.parts.features,
            logged_identity=facts.features,
            engine_name=facts.engine or TENSORFLOW_ENGINE,  # empty: there is no network
        )
        arrays = cached_features(source, digests, files, progress, executor).arrays
        scored = []
        for start in range(0, len(rows), FEATURE_BATCH):
            batch = [arrays[name][start : start + FEATURE_BATCH] for name in self.parts.names]
            scored.append(np.asarray(self.parts.head(batch, training=False)))
        return np.concatenate(scored).astype(np.float64)[:, 0]


def open_trained(
    model: str,
    experiment_id: str,
    progress: Progress,
    allow_unsafe: bool = False,
    description: str = "",
    of_others: bool = True,
) -> Trained:
    """Open a finished model by its address, the id of its run, a folder, a file, or as `best`.

    Args:
        of_others: Whether a detector that no study logged will do.
        description: Path of what describes a detector of others; empty for the one beside it.
    """
    if of_others and (file := detector_file(model, description)):
        return _as_trained(open_external_file(model, file, progress))
    if model == BEST:
        best = best_study(experiment_id, "", progress)
        for line in best.description:
            progress.say(line)
        model = best.study.run_id
    with fetched_model(model, allow_unsafe, of_others) as folder:
        if not is_detector(flavours_of(folder)):
            return _as_trained(open_external_model(model, folder, description, progress))
        run_id, noted = model_facts(folder)
        seen_file = detector_folder(folder) / SEEN_FILE
        if not seen_file.exists():
            raise UsageError(
                f"the model {model!r} does not tell which images it was trained on: an earlier "
                "version of fakeface_bench logged it. Run its study again."
            )
        seen = SeenImages.read(seen_file)
        classifier = load_classifier(folder, safe=not allow_unsafe)
    facts = TrainedModel(
        label=str(noted["label"]),
        address=model,
        run_id=run_id,
        data=str(noted["dataset"]),
        kinds={str(source): str(kind) for source, kind in noted["kinds"].items()},
        threshold=classifier.facts.threshold,
        images_seen=len(seen),
        generators={str(name): int(n) for name, n in noted.get("generators", {}).items()},
        equalised=classifier.facts.equalisation != AS_THEY_ARE,
    )
    return Trained(facts, classifier, seen, detector_parts(classifier.network))


def _as_trained(external: External) -> Trained:
    return Trained(external.model, external.classifier, external.seen, None)
