"""A detector at work: order, damaged pictures, flat memory, its own version and threshold."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from fakeface_bench.serving.classifier import (
    BATCH,
    DetectorFacts,
    FaceClassifier,
    Verdict,
    write_detector,
)
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.study.register import TOLERANCE
from fakeface_bench.support.errors import DataError, ModelError
from tests.serving.drawn import drawn
from tests.serving.small_model import SIZE, THRESHOLD


@pytest.fixture(scope="module")
def classifier(network: keras.Model, facts: DetectorFacts) -> FaceClassifier:
    return FaceClassifier(network, facts, "7")


def same(picture: Image.Image) -> Image.Image:
    return picture


def scores(verdicts: Iterator[Verdict]) -> list[float | None]:
    return [verdict.probability_fake for verdict in verdicts]


def test_verdicts_are_the_networks_own_in_order(
    classifier: FaceClassifier, network: keras.Model
) -> None:
    pictures = [drawn(seed) for seed in range(2 * BATCH + 5)]
    verdicts = list(classifier.classify(pictures, same))
    pixels = np.stack([classifier.pixels(picture) for picture in pictures])
    expected = network.predict(pixels.astype(np.float32), verbose=0)[:, 0]
    # Folding BatchNorm into convolutions rounds otherwise; random values make much of it.
    np.testing.assert_allclose(scores(iter(verdicts)), expected, atol=1e-3)
    assert expected.std() > 0.1, "the pictures do not tell one order from another"
    assert {verdict.label for verdict in verdicts} == {"real", "fake"}
    for verdict in verdicts:
        assert verdict.label == ("fake" if verdict.probability_fake >= THRESHOLD else "real")
        assert (verdict.threshold, verdict.model_version) == (THRESHOLD, "7")
        assert verdict.error is None


@pytest.mark.parametrize("band", [(0.2, 0.7), (0.0, 1.1), (THRESHOLD, THRESHOLD), (0.0, 0.0)])
def test_a_picture_within_the_band_is_unsure_and_keeps_its_label(
    classifier: FaceClassifier, band: tuple[float, float]
) -> None:
    facts = replace(classifier.facts, unsure_low=band[0], unsure_high=band[1])
    pictures = [drawn(seed) for seed in range(40)]
    found = list(FaceClassifier(classifier.network, facts, "7").classify(pictures, same))
    plain = list(classifier.classify(pictures, same))
    assert [verdict.label for verdict in found] == [verdict.label for verdict in plain]
    for verdict in found:
        assert verdict.probability_fake is not None
        assert verdict.unsure is (band[0] <= verdict.probability_fake < band[1])
    assert not any(verdict.unsure for verdict in plain)


def test_a_score_does_not_depend_on_its_company(classifier: FaceClassifier) -> None:
    pictures = [drawn(seed) for seed in range(40)]
    together = scores(classifier.classify(pictures, same))
    alone = [scores(classifier.classify([picture], same))[0] for picture in pictures]
    np.testing.assert_allclose(together, alone, atol=TOLERANCE)  # features are rounded to float16


@pytest.mark.parametrize("broken", [{0}, {3, 31, 32, 69}, set(range(70)), set(range(32))])
def test_a_broken_picture_costs_its_own_verdict_alone(
    classifier: FaceClassifier, broken: set[int]
) -> None:
    pictures = [drawn(seed) for seed in range(70)]
    expected = scores(classifier.classify(pictures, same))

    def read(number: int) -> Image.Image:
        if number in broken:
            raise DataError(f"number {number} is damaged")
        return pictures[number]

    verdicts = list(classifier.classify(range(70), read))
    assert len(verdicts) == 70
    for number, verdict in enumerate(verdicts):
        if number in broken:
            error = f"number {number} is damaged"
            assert verdict == Verdict(None, None, THRESHOLD, None, "7", error)
        else:
            assert verdict.probability_fake == pytest.approx(expected[number], abs=1e-5)


def test_what_is_no_fault_of_a_picture_is_raised(classifier: FaceClassifier) -> None:
    def read(number: int) -> Image.Image:
        raise MemoryError("all is used up")

    with pytest.raises(MemoryError, match="all is used up"):
        list(classifier.classify(range(3), read))


def test_without_pictures_there_are_no_verdicts(classifier: FaceClassifier) -> None:
    assert list(classifier.classify([], same)) == []


def test_endless_pictures_are_taken_a_few_batches_ahead(classifier: FaceClassifier) -> None:
    taken = 0

    def pictures() -> Iterator[Image.Image]:
        nonlocal taken
        for seed in itertools.count():
            taken += 1
            yield drawn(seed % 3)

    verdicts = classifier.classify(pictures(), same)
    assert taken == 0
    for number in range(5 * BATCH):
        next(verdicts)
        assert taken <= number + 4 * BATCH


def test_pictures_are_read_in_several_threads(classifier: FaceClassifier) -> None:
    threads: set[int] = set()
    met = threading.Barrier(2, timeout=20)

    def read(number: int) -> Image.Image:
        if number < 2:
            met.wait()
        threads.add(threading.get_ident())
        return drawn(number)

    list(classifier.classify(range(4), read))
    assert len(threads) > 1
    assert threading.get_ident() not in threads


def test_callers_in_several_threads_get_their_own_verdicts(classifier: FaceClassifier) -> None:
    batches = [[drawn(seed) for seed in range(k, k + 40)] for k in range(0, 160, 40)]
    expected = [scores(classifier.classify(batch, same)) for batch in batches]
    with ThreadPoolExecutor(4) as callers:
        found = list(callers.map(lambda b: scores(classifier.classify(b, same)), batches))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_written_detector_is_read_back(
    classifier: FaceClassifier, network: keras.Model, facts: DetectorFacts, tmp_path: Path
) -> None:
    write_detector(network, facts, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"detector.keras", "detector.json"}
    loaded = FaceClassifier.load(tmp_path, "3")
    pictures = [drawn(seed) for seed in range(4)]
    assert loaded.facts == facts
    np.testing.assert_allclose(
        scores(loaded.classify(pictures, same)),
        scores(classifier.classify(pictures, same)),
        atol=1e-6,
    )


def test_a_detector_that_was_trained_on_other_pixels_is_refused(
    network: keras.Model, tmp_path: Path
) -> None:
    write_detector(network, DetectorFacts(SIZE, "crop", 0.5, decoding_version=1), tmp_path)
    says = "trained on pictures decoded by rules 1, this version's are 2; 'mlflow models serve'"
    with pytest.raises(ModelError, match=says):
        FaceClassifier.load(tmp_path, "3")


def test_read_is_handed_what_was_given(classifier: FaceClassifier) -> None:
    given: list[Any] = [b"no picture", np.zeros((90, 100, 3), np.uint8)]
    broken, black = classifier.classify(given, read_picture)
    assert broken.error == "not a readable image: its content is of no known format"
    assert black.error is None


def test_a_score_that_is_no_number_is_an_error(
    network: keras.Model, facts: DetectorFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = FaceClassifier(network, facts, "")
    monkeypatch.setattr(classifier, "probabilities", lambda pixels: np.array([np.nan]))
    (verdict,) = classifier.classify([np.zeros((96, 96, 3), np.uint8)], read_picture)
    assert (verdict.label, verdict.probability_fake) == (None, None)
    assert verdict.error == "the network gives no number for it"
