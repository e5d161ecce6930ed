"""Which test images are explained: where the model was surest, and where it could not decide."""

import numpy as np

from fakeface_bench.records import FloatArray, ScoredSplit
from fakeface_bench.report.gallery import in_turns, most_confident

#: Images of each kind.
MOST_EXAMPLES = 8
#: Keeps the log odds of scores of exactly 0 and 1 finite.
_LEAST_SCORE = 1e-12


def choose_examples(split: ScoredSplit) -> dict[str, tuple[int, ...]]:
    """Choose up to 8 images of each of `EXAMPLE_KINDS`; the classes take turns.

    Returns:
        Positions in the split, by kind: the surest right calls, the surest wrong ones, and what
        is nearest to the threshold on the scale of logits, real images before fake ones.
    """
    distance = np.abs(log_odds(split.y_score) - log_odds(split.threshold))
    nearest = np.argsort(distance, kind="stable")
    chosen = {
        "right": most_confident(split, True, MOST_EXAMPLES),
        "wrong": most_confident(split, False, MOST_EXAMPLES),
        "uncertain": in_turns(split, nearest, MOST_EXAMPLES),
    }
    return {kind: tuple(int(p) for p in positions) for kind, positions in chosen.items()}


def log_odds(score: FloatArray | float) -> FloatArray:
    """Return the logit of a probability."""
    within = np.clip(score, _LEAST_SCORE, 1 - _LEAST_SCORE)
    return np.asarray(np.log(within) - np.log1p(-within))
