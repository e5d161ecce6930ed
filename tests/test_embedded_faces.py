"""What the embedded faces promise: networks tell them apart by the project's own path."""

from dataclasses import replace

import pytest

from fakeface_bench.config import StudyConfig
from fakeface_bench.evaluation.detector import train_detector
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.resolve import make_plan
from fakeface_bench.study.setup import Setup, prepare_setup, space_of
from fakeface_bench.training.networks import FitTask
from tests.conftest import RecordedProgress


def auc_on_test(model: str, epochs: int) -> float:
    """Fit the plain head on a model's maps alone, of the embedded set, and score its test split."""
    plan = make_plan(StudyConfig(model=model, weights="random"))
    setup: Setup = prepare_setup(plan, RecordedProgress())
    train, valid = setup.reader.read("train"), setup.reader.read("valid")
    task = FitTask(setup.network, train, valid, epochs, 0, roc_auc)
    plain = space_of(plan, setup.network).plain()
    maps_alone = replace(plain, head=replace(plain.head, features="all_blocks"))
    detector, *_ = train_detector(task, maps_alone)
    test = setup.reader.read("test")
    assert len(test) == 300
    return detector.score(test, setup.index.split("test")).metrics["roc_auc"]


@pytest.mark.slow
def test_a_frozen_random_mobilenetv3_tells_them_apart() -> None:
    assert 0.75 < auc_on_test("mobilenetv3_large", epochs=10) < 0.99


@pytest.mark.slow
def test_a_small_network_from_scratch_tells_them_apart() -> None:
    assert auc_on_test("simple_cnn", epochs=10) > 0.80
