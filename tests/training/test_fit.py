"""A fit is repeatable, keeps its best epoch, stops by validation, and obeys its listener."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakeface_bench.backbones.building import build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.config import HeadConfig, TrialConfig
from fakeface_bench.evaluation.detector import predict_margins, train_detector
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features.pooling import layout_of
from fakeface_bench.features.samples import Samples
from fakeface_bench.records.study import EpochRecord
from fakeface_bench.training.batches import forward_of
from fakeface_bench.training.fit import fit
from fakeface_bench.training.networks import FitTask, FrozenNetwork

NETWORK = FrozenNetwork(
    build_backbone(architecture_named("mobilenetv3_small"), 32, Weights("random"))
)
WIDTH = layout_of(NETWORK.backbone.outputs).pooled_width


def planted(images: int, seed: int, strength: float = 0.7) -> Samples:
    """Features in which a few columns lean with the label."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(images) % 2).astype(np.uint8)
    pooled = rng.normal(3.0, 1.0, (images, WIDTH))
    pooled[:, ::40] += strength * labels[:, None]
    return Samples({"pooled": pooled.astype(np.float16)}, labels)


@pytest.fixture(scope="module")
def task() -> FitTask:
    return FitTask(NETWORK, planted(240, 0), planted(120, 1), 10, 0, roc_auc)


def test_same_seed_same_weights_and_another_seed_others(task: FitTask) -> None:
    first, again = (
        fit(task, TrialConfig(HeadConfig(units=8)))[0],
        fit(task, TrialConfig(HeadConfig(units=8)))[0],
    )
    other = fit(replace(task, seed=1), TrialConfig(HeadConfig(units=8)))[0]
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        (a != b).any() for a, b in zip(first.get_weights(), other.get_weights(), strict=True)
    )


def test_a_planted_signal_is_learned(task: FitTask) -> None:
    _, record = fit(task, TrialConfig(HeadConfig(learning_rate=3e-3)))
    assert record.best.val_roc_auc > 0.8
    assert record.epochs[-1].train_loss < record.epochs[0].train_loss


@pytest.mark.parametrize("loss", ["hinge", "categorical_crossentropy"])
def test_scores_of_any_loss_are_probabilities_of_fake(task: FitTask, loss: str) -> None:
    detector, *_ = train_detector(task, TrialConfig(HeadConfig(loss=loss, learning_rate=3e-3)))
    rows = pd.DataFrame({"path": ["x"] * 120, "source": "faces"}).assign(
        **dict.fromkeys(("category", "digest", "generator", "released", "tier"), "")
    )
    scored = detector.score(task.held_out, rows)
    assert ((scored.y_score > 0) & (scored.y_score < 1)).all()
    assert scored.metrics["roc_auc"] > 0.8
    assert scored.metrics["log_loss"] < np.log(2)


@pytest.mark.parametrize(("patience", "epochs"), [(5, 7), (2, 4), (0, 12)])
def test_the_best_epoch_is_kept_and_patience_ends_the_fit(
    task: FitTask, patience: int, epochs: int
) -> None:
    figures = iter([0.6, 0.9, *[0.5] * 20])
    seen: list[np.ndarray] = []

    def scripted(y_true: np.ndarray, margins: np.ndarray) -> float:
        seen.append(margins.copy())
        return next(figures)

    scripted_task = replace(task, epochs=12, patience=patience, objective=scripted)
    model, record = fit(scripted_task, TrialConfig())
    assert record.best_epoch == 1
    assert len(record.epochs) == epochs
    margins = predict_margins(
        NETWORK, forward_of(NETWORK, model), HeadConfig(), task.held_out
    ).values
    np.testing.assert_allclose(margins, seen[1], rtol=1e-5, atol=1e-6)
    assert not np.allclose(margins, seen[-1], rtol=1e-3)


def test_what_the_listener_raises_ends_the_fit(task: FitTask) -> None:
    class Enough(Exception):
        pass

    def stop_at_second(record: EpochRecord) -> None:
        if record.epoch == 1:
            raise Enough

    with pytest.raises(Enough):
        fit(task, TrialConfig(), stop_at_second)


def test_constant_columns_do_not_disturb(task: FitTask, tmp_path: Path) -> None:
    pooled = task.train.arrays["pooled"].copy()
    pooled[:, 1] = 7.0
    train = Samples({"pooled": pooled}, task.train.labels)
    model, _ = fit(replace(task, train=train), TrialConfig())
    margins = predict_margins(
        NETWORK, forward_of(NETWORK, model), HeadConfig(), task.held_out
    ).values
    assert np.isfinite(margins).all()
    assert np.abs(margins).max() < 100
