"""The band of unsure scores: of the others few are wrong, and no band that does leaves more."""

import numpy as np
import pytest

from fakeface_bench.evaluation.decisions import choose_threshold, choose_unsure
from fakeface_bench.records.study import UnsureBand

RNG = np.random.default_rng(0)
Y_TRUE = (np.arange(400) % 2).astype(np.uint8)
Y_SCORE = 1 / (1 + np.exp(-RNG.normal(1.5 * (2.0 * Y_TRUE - 1), 1.5)))


def outside(low: float, high: float) -> tuple[int, int]:
    """Return how many images are sure, and how many of these are wrong."""
    real, fake = Y_SCORE < low, Y_SCORE >= high
    wrong = (real & (Y_TRUE == 1)) | (fake & (Y_TRUE == 0))
    return int((real | fake).sum()), int(wrong.sum())


@pytest.mark.parametrize("error", [0.01, 0.05, 0.1])
def test_few_of_the_others_are_wrong_and_no_band_leaves_more_of_them(error: float) -> None:
    threshold = choose_threshold(Y_TRUE, Y_SCORE)
    band = choose_unsure(Y_TRUE, Y_SCORE, threshold, error)
    assert band is not None
    assert 0 < band.low <= threshold <= band.high < 1
    sure, wrong = outside(band.low, band.high)
    assert wrong <= error * sure
    ends = [0.0, *np.unique(Y_SCORE), 1.1]
    most = max(
        count
        for low in [end for end in ends if end <= threshold]
        for high in [end for end in ends if end >= threshold]
        if (found := outside(low, high))[1] <= error * (count := found[0])
    )
    assert sure == most
    assert np.sum(~band.holds(Y_SCORE)) == sure


def test_without_an_error_to_keep_there_is_no_band() -> None:
    assert choose_unsure(Y_TRUE, Y_SCORE, 0.5, 0.0) is None


def test_where_hardly_any_is_wrong_nothing_is_unsure() -> None:
    scores = np.where(Y_TRUE == 1, 0.9, 0.1)
    band = choose_unsure(Y_TRUE, scores, 0.5, 0.05)
    assert band == UnsureBand(0.5, 0.5)
    assert not band.holds(scores).any()


def test_where_scores_say_nothing_all_is_unsure() -> None:
    scores = np.full(400, 0.5)
    scores[::4], scores[1::4] = 1.0, 0.0  # surest and wrong
    for threshold in (0.25, 0.5, 0.75):
        band = choose_unsure(Y_TRUE, scores, threshold, 0.05)
        assert band is not None
        assert band.holds(scores).all()


def test_equal_scores_are_not_taken_apart() -> None:
    scores = np.repeat([0.1, 0.2, 0.8, 0.9], 100)
    labels = np.concatenate([np.zeros(100), np.arange(100) % 2, np.arange(100) % 2, np.ones(100)])
    band = choose_unsure(labels.astype(np.uint8), scores, 0.5, 0.05)
    assert band is not None
    assert (band.low, band.high) == pytest.approx((0.15, 0.85))


def test_a_side_without_any_image_has_no_part_in_it() -> None:
    scores = np.linspace(0.6, 0.9, 400)
    band = choose_unsure(Y_TRUE, scores, 0.5, 0.05)
    assert band is not None
    assert band.low == 0.5
    assert band.high > 0.89
