"""The mean of ROC AUC over sets of fakes that share real images: what its interval holds."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from fakeface_bench.evaluation.intervals import roc_auc_estimate
from fakeface_bench.evaluation.macro import Scored, mean_roc_auc

REALS = [f"real-{number}" for number in range(60)]
#: How far apart a detector puts the classes, generator by generator, in standard deviations.
APART = (2.0, 1.0, 0.3, -0.4)


def drawn(seed: int, fakes: int = 40, shared: float = 0.9) -> list[Scored]:
    """Draw what a model a generator gives the same real images, and fakes of its own.

    Args:
        shared: Correlation of the models' scores of a real image.
    """
    rng = np.random.default_rng(seed)
    common = rng.normal(size=len(REALS))
    sets = []
    for number, apart in enumerate(APART):
        own = rng.normal(size=len(REALS))
        reals = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
        scores = np.concatenate([reals, rng.normal(size=fakes) + apart])
        labels = np.repeat([0, 1], [len(REALS), fakes]).astype(np.uint8)
        names = [*REALS, *(f"{number}-{fake}" for fake in range(fakes))]
        sets.append((labels, scores, names))
    return sets


def test_the_mean_counts_each_set_the_same() -> None:
    sets = [*drawn(0, fakes=40)[:1], *drawn(0, fakes=300)[1:]]
    expected = np.mean([roc_auc_score(y_true, y_score) for y_true, y_score, _ in sets])
    assert mean_roc_auc(sets).value == pytest.approx(expected)


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_the_interval_holds_the_truth_in_95_of_100_draws(shared: float) -> None:
    truth = np.mean(norm.cdf(np.array(APART) / np.sqrt(2)))
    found = [mean_roc_auc(drawn(seed, shared=shared)) for seed in range(400)]
    held = np.mean([estimate.low <= truth <= estimate.high for estimate in found])
    assert 0.925 <= held <= 0.985


def test_shared_real_images_widen_it() -> None:
    """Images that are hard for every model move all values the same way."""
    widths = []
    for strangers in (False, True):
        sets = drawn(3)
        if strangers:  # the same scores, of other images each time
            sets = [
                (y_true, y_score, [f"{number}/{name}" for name in names])
                for number, (y_true, y_score, names) in enumerate(sets)
            ]
        estimate = mean_roc_auc(sets)
        widths.append(estimate.high - estimate.low)
    assert widths[0] > 1.2 * widths[1]


def test_of_one_set_it_is_as_wide_as_that_of_the_set() -> None:
    (y_true, y_score, names), *_ = drawn(1)
    alone, mean = roc_auc_estimate(y_true, y_score), mean_roc_auc([(y_true, y_score, names)])
    assert mean.value == alone.value
    assert mean.high - mean.low == pytest.approx(alone.high - alone.low, rel=0.15)


def test_sets_without_a_misordered_pair_leave_open_what_their_size_does() -> None:
    labels = np.array([0] * 10 + [1] * 10, np.uint8)
    names = [str(number) for number in range(20)]
    estimate = mean_roc_auc([(labels, labels.astype(float), names)] * 3)
    assert estimate.value == estimate.high == 1.0
    assert 0.5 < estimate.low < 0.9
