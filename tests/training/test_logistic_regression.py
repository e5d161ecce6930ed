"""Logistic regression finds what scikit-learn's does, however much memory there is."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fakeface_bench.config import LOGISTIC_REGRESSION, HeadConfig, logistic_regression
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features.samples import Part, Samples
from fakeface_bench.records.study import EpochRecord, FitRecord
from fakeface_bench.training import logistic_regression as module
from fakeface_bench.training.head import head_logits
from fakeface_bench.training.head_fit import HeadRows, Values
from fakeface_bench.training.logistic_regression import fit_logistic_regression
from fakeface_bench.training.networks import FitTask

ROWS, WIDTH = 300, 20
PARTS: list[Part] = [("pooled", slice(0, 8)), ("pooled", slice(10, WIDTH))]
HEAD = logistic_regression(C=0.1)


def samples(seed: int, weighed: bool = True) -> Samples:
    rng = np.random.default_rng(seed)
    labels = (np.arange(ROWS) % 3 == 0).astype(np.uint8)
    pooled = rng.normal(3.0, 2.0, (ROWS, WIDTH)) + 0.6 * labels[:, None]
    weights = rng.uniform(0.5, 1.5, ROWS).astype(np.float32) if weighed else None
    return Samples({"pooled": pooled.astype(np.float16)}, labels, weights)


def task(weighed: bool = True) -> FitTask:
    # The network is not looked at.
    return FitTask(None, samples(0, weighed), samples(1), 5, 0, roc_auc)  # type: ignore[arg-type]


def fitted(of: FitTask, head: HeadConfig = HEAD) -> tuple[Values, FitRecord]:
    return fit_logistic_regression(of, HeadRows(of.train), PARTS, head, None, 64)


def standardised(of: FitTask) -> np.ndarray:
    scale = HeadRows(of.train).scale(PARTS)
    x = of.train.rows(np.arange(ROWS), PARTS)
    return (x - np.ravel(scale.input_mean)) / np.sqrt(np.ravel(scale.input_variance))


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("penalty", [0.001, 0.1, 10.0])
def test_it_is_scikit_learns(weighed: bool, penalty: float) -> None:
    of = task(weighed)
    (kernel, bias), record = fitted(of, replace(HEAD, C=penalty))
    theirs = LogisticRegression(C=penalty, tol=1e-4)
    theirs.fit(standardised(of), of.train.labels, sample_weight=of.train.weights)
    np.testing.assert_allclose(kernel[:, 0], theirs.coef_[0], rtol=2e-2, atol=2e-3)
    np.testing.assert_allclose(bias, theirs.intercept_, rtol=2e-2, atol=2e-3)
    right = (standardised(of) @ kernel[:, 0] + bias > 0) == (of.train.labels == 1)
    assert record.best.train_accuracy == pytest.approx(right.mean(), abs=1e-9)


def test_rows_that_do_not_fit_into_memory_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    (kernel, _), record = fitted(task())
    monkeypatch.setattr(module, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 70)
    (read, _), again = fitted(task())
    np.testing.assert_allclose(read, kernel, rtol=1e-3, atol=1e-5)
    assert again.best.val_roc_auc == pytest.approx(record.best.val_roc_auc, abs=1e-4)


def test_its_values_are_those_of_keras_layers() -> None:
    of = task()
    values, record = fitted(of)
    scale = HeadRows(of.train).scale(PARTS)
    features = keras.Input((WIDTH - 2,))
    model = keras.Model(features, head_logits(scale(features), HEAD, 1))
    model.set_weights(values)
    margins = np.asarray(model(of.valid.rows(np.arange(ROWS), PARTS)))[:, 0]
    assert roc_auc(of.valid.labels, margins) == pytest.approx(record.best.val_roc_auc, abs=1e-5)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    expected = float(loss(of.valid.labels.astype(np.float32), margins))
    assert record.best.val_loss == pytest.approx(expected, rel=1e-4)


def test_an_epoch_is_some_iterations_and_the_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EPOCH_ITERATIONS", 3)
    monkeypatch.setattr(module, "MAX_ITERATIONS", 5)
    told: list[EpochRecord] = []
    of = task()
    head = replace(HEAD, C=1000.0)
    _, record = fit_logistic_regression(of, HeadRows(of.train), PARTS, head, told.append, 64)
    assert [epoch.epoch for epoch in told] == [0, 1]
    assert list(record.epochs) == told
    assert record.best_epoch == 1
    assert {epoch.stage for epoch in told} == {LOGISTIC_REGRESSION}
    assert told[1].train_loss < told[0].train_loss


def test_columns_that_tell_nothing_end_at_the_prior() -> None:
    of = task(weighed=False)
    flat = Samples({"pooled": np.full((ROWS, WIDTH), 2.0, np.float16)}, of.train.labels)
    (kernel, bias), record = fitted(replace(of, train=flat))
    assert not kernel.any()
    assert bias[0] == pytest.approx(np.log(0.5), abs=1e-3)
    assert record.best.train_accuracy == pytest.approx(2 / 3)
