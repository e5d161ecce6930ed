"""One finished model on one test set: scores of what it never saw, and figures with intervals."""

from collections.abc import Iterator, Mapping

import numpy as np

from fakeface_bench.errors import DataError
from fakeface_bench.evaluation.estimates import estimates, part_estimates
from fakeface_bench.progress import Progress
from fakeface_bench.records import Estimate, ScoredSplit, SetScores
from fakeface_bench.test_sets import TestSet
from fakeface_bench.trained import Trained


def score_set(trained: Trained, test_set: TestSet, progress: Progress) -> SetScores:
    """Score a model on a test set, without the images that it saw or copies of them.

    Args:
        trained: The model.
        test_set: Images it is scored on.
        progress: Told how far it is, and warned of images that are left out.

    Raises:
        DataError: If it saw all of them.
    """
    rows, overlap = trained.unseen(test_set, progress)
    if rows.empty:
        raise DataError(
            f"{trained.model.label}, trained on {trained.model.data}, saw every image of "
            f"{test_set.name} that it was to be tested on, or copies of them: nothing is left."
        )
    scores = trained.scores(test_set, progress)[rows.index.to_numpy()]
    labels = rows["label"].to_numpy(np.uint8)
    threshold = trained.model.threshold
    is_own, is_part = trained.seen.share_tested(rows["digest"])
    figures = estimates(labels, scores, threshold)
    return SetScores(
        model=trained.model,
        data=test_set.name,
        chosen=test_set.chosen,
        is_own=is_own,
        is_part=is_part,
        kinds=test_set.kinds,
        digests=tuple(rows["digest"]),
        scored=ScoredSplit(
            y_true=labels,
            y_score=scores,
            paths=tuple(rows["path"]),
            sources=tuple(rows["source"]),
            tiers=tuple(rows["tier"]),
            categories=tuple(rows["category"]),
            threshold=threshold,
            metrics={key: figure.value for key, figure in figures.items()},
        ),
        figures=figures,
        parts=part_estimates(labels, scores, threshold, rows["source"], rows["tier"]),
        overlap=overlap,
        floor=test_set.floor,
        source_floors=test_set.source_floors,
    )


def estimate_metrics(place: str, figures: Mapping[str, Estimate]) -> Iterator[tuple[str, float]]:
    """Yield figures and the ends of their intervals under MLflow's names.

    Args:
        place: That the names begin with.
        figures: By key.
    """
    for key, figure in figures.items():
        yield f"{place}/{key}", figure.value
        yield f"{place}/{key}_low", figure.low
        yield f"{place}/{key}_high", figure.high
