"""Detectors of others beside the most accurate study, on the same test images."""

from collections.abc import Sequence
from dataclasses import dataclass

from fakeface_bench.evaluation.intervals import percentile
from fakeface_bench.evaluation.paired import holm, mcnemar, metrics_of, resampled_metrics
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import ComparedStudy, SeedScores
from fakeface_bench.records.transfer import SetScores
from fakeface_bench.support.errors import DataError


@dataclass(frozen=True, slots=True)
class ComparedDetector:
    """A detector of others, tested as it is; it has no costs of training that anybody knows.

    Attributes:
        scores: On those of the test images that it is not known to have seen.
        accuracy_ahead: Its accuracy less that of the most accurate study's kept model, on the same
            images and resamples of them.
        roc_auc_ahead: The same of the ROC AUC.
        adjusted_p: McNemar's, after Holm's adjustment over all detectors of others.
    """

    scores: SetScores
    accuracy_ahead: Estimate
    roc_auc_ahead: Estimate
    adjusted_p: float

    @property
    def label(self) -> str:
        """What it is called: its file, or its address."""
        return self.scores.model.label

    @property
    def is_seen_known(self) -> bool:
        """Whether it is stated what it was trained on."""
        return self.scores.model.images_seen is not None


def compare_detectors(
    best: ComparedStudy, scored: Sequence[SetScores]
) -> tuple[ComparedDetector, ...]:
    """Set detectors of others against the most accurate study, the most accurate first.

    Raises:
        DataError: If what is left of the test images holds one class alone.
    """
    found = []
    for scores in scored:
        if len(scores.classes) == 1:
            raise DataError(
                f"of the test images {scores.model.label} is not known to have seen one class is "
                "left alone, on which nothing can be compared."
            )
        rows = _rows_of(best, scores)
        y_true = best.y_true[rows]
        kept = best.kept
        columns = [
            SeedScores(0, kept.y_score[rows], kept.threshold),
            SeedScores(0, scores.scored.y_score, scores.scored.threshold),
        ]
        theirs, ours = (metrics_of(y_true, column) for column in reversed(columns))
        of_best, of_detector = resampled_metrics(y_true, [[column] for column in columns])
        ahead = {
            key: percentile(theirs[key] - ours[key], of_detector[key] - of_best[key])
            for key in ("accuracy", "roc_auc")
        }
        right = [column.predicted_fake == (y_true == 1) for column in columns]
        found.append((scores, ahead, mcnemar(*right).p))
    adjusted = holm([p for _, _, p in found])
    compared = [
        ComparedDetector(scores, ahead["accuracy"], ahead["roc_auc"], p)
        for (scores, ahead, _), p in zip(found, adjusted, strict=True)
    ]
    return tuple(sorted(compared, key=lambda each: -each.scores.estimates["accuracy"].value))


def _rows_of(best: ComparedStudy, scores: SetScores) -> list[int]:
    """Return the places of a detector's images among those of a study."""
    places = {image: row for row, image in enumerate(zip(best.sources, best.paths, strict=True))}
    images = zip(scores.scored.sources, scores.scored.paths, strict=True)
    return [places[image] for image in images]
