"""Every picture is judged by a fit that has seen neither it nor a copy of it."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from fakeface_bench.config import (
    LOGISTIC_REGRESSION,
    HeadConfig,
    TrialConfig,
    logistic_regression,
)
from fakeface_bench.evaluation.cross_validation import (
    best_lengths,
    cross_validate,
    draw_folds,
    mean_over_folds,
    with_folds,
)
from fakeface_bench.evaluation.detector import train_detector
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features.samples import ChosenRows, Samples
from fakeface_bench.records.study import EpochRecord, FitRecord
from fakeface_bench.support.errors import DataError
from fakeface_bench.training.fit import fit
from fakeface_bench.training.networks import FitTask
from tests.training.test_fit import NETWORK, planted

FOLDS = 4
HEAD = TrialConfig(HeadConfig(features="last", pooling="avg", learning_rate=3e-3))
SIMPLE = TrialConfig(logistic_regression(features="last", pooling="avg", C=0.01))


def rows_of(samples: Samples, copies: int = 1) -> pd.DataFrame:
    """Rows of an index; so many pictures of a class in a row are copies of one another."""
    pair = np.arange(len(samples)) // (2 * copies)
    group = [f"{place}-{label}" for place, label in zip(pair, samples.labels, strict=True)]
    return pd.DataFrame({"label": samples.labels, "kin": group, "source": "faces"})


def folded(samples: Samples, copies: int = 1, balance: str = "none") -> FitTask:
    task = FitTask(NETWORK, samples, None, 6, 0, roc_auc)
    rows = rows_of(samples, copies)
    return with_folds(task, samples, rows, draw_folds(rows, FOLDS, 0), balance)


@pytest.fixture(scope="module")
def task() -> FitTask:
    return folded(planted(200, 0))


@pytest.mark.parametrize("copies", [1, 5])
def test_each_row_is_left_out_once_and_copies_stay_together(copies: int) -> None:
    rows = rows_of(planted(200, 0), copies)
    folds = draw_folds(rows, FOLDS, 0)
    left = np.concatenate([left for _, left in folds])
    assert sorted(left) == list(range(200))
    for kept, left in folds:
        assert sorted([*kept, *left]) == list(range(200))
        assert not set(rows["kin"][kept]) & set(rows["kin"][left])
        assert abs(rows["label"][left].mean() - 0.5) < 0.1


def test_the_seed_decides_the_folds() -> None:
    rows = rows_of(planted(200, 0))
    first, again, other = (draw_folds(rows, FOLDS, seed)[0][1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_too_few_different_pictures_are_refused_with_their_number() -> None:
    with pytest.raises(DataError, match=r"folds 4 needs as many different real .* there are 3"):
        draw_folds(rows_of(planted(24, 0), copies=4), FOLDS, 0)


def test_groups_that_would_leave_a_part_without_a_class_are_refused() -> None:
    """Few groups, some of one class and some of both, of which no third holds every class."""
    sizes = np.array([[8, 0], [0, 4], [0, 1], [0, 2], [0, 8], [11, 6], [7, 11]])
    labels = np.concatenate([np.repeat([0, 1], of_group) for of_group in sizes])
    group = np.repeat(np.arange(len(sizes)), sizes.sum(axis=1))
    rows = pd.DataFrame({"label": labels, "kin": group, "source": "faces"})
    with pytest.raises(DataError, match=r"folds 3 leaves a part .* without real or without fake"):
        draw_folds(rows, 3, 0)


def test_a_fold_does_not_see_what_it_leaves_out(task: FitTask) -> None:
    """Standardisation included: other values in its place change no weight."""
    fold = task.folds[0]
    spoilt = np.array(planted(200, 0).arrays["pooled"])
    spoilt[fold.places] = 1000.0
    other = folded(Samples({"pooled": spoilt}, planted(200, 0).labels)).folds[0]
    for config in (SIMPLE, HEAD):
        mine, theirs = (fit(replace(of, lengths={"head": 2}), config)[0] for of in (fold, other))
        for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_scores_that_were_left_out_are_scikit_learns(task: FitTask) -> None:
    detector, record, found = train_detector(task, SIMPLE)
    samples = task.train
    x = samples.rows(np.arange(200), NETWORK.parts(SIMPLE.head)).astype(np.float64)

    def scored(kept: np.ndarray, left: np.ndarray) -> np.ndarray:
        mean, deviation = x[kept].mean(axis=0), x[kept].std(axis=0)
        model = LogisticRegression(C=0.01, tol=1e-6).fit(
            (x[kept] - mean) / deviation, samples.labels[kept]
        )
        return model.decision_function((x[left] - mean) / deviation)

    everything = np.arange(200)
    expected = np.empty(200)
    for fold in task.folds:
        expected[fold.places] = scored(np.setdiff1d(everything, fold.places), fold.places)
    np.testing.assert_allclose(found.values, expected, atol=5e-3)
    np.testing.assert_array_equal(found.y_true, samples.labels)
    of_all = detector.forward(x.astype(np.float32)).numpy()[:, 0]
    np.testing.assert_allclose(of_all, scored(everything, everything), atol=5e-3)
    aucs = [
        roc_auc_score(samples.labels[fold.places], expected[fold.places]) for fold in task.folds
    ]
    assert record.best.val_roc_auc == pytest.approx(np.mean(aucs), abs=2e-3)


def test_decisions_are_made_on_what_was_left_out(task: FitTask) -> None:
    detector, _, found = train_detector(task, SIMPLE, unsure_error=0.05)
    rows = pd.DataFrame({"path": ["x"] * 200, "source": "faces"}).assign(
        **dict.fromkeys(("category", "digest", "generator", "released", "tier"), "")
    )
    judged = detector.judged(found, rows)
    assert judged.metrics["roc_auc"] == pytest.approx(roc_auc(found.y_true, found.values))
    fitted = detector.score(task.train, rows)
    assert fitted.metrics["roc_auc"] > judged.metrics["roc_auc"]  # of pictures that it has seen
    assert judged.unsure is not None
    sure = ~judged.unsure.holds(judged.y_score)
    wrong = (judged.y_score >= judged.threshold) != judged.y_true
    assert wrong[sure].mean() <= 0.05


def test_the_mean_decides_how_long_the_final_fit_is(task: FitTask) -> None:
    told: list[FitRecord] = []
    found = cross_validate(task, HEAD, told.append)
    assert len(told) == FOLDS
    assert told[-1] == found
    scores = [epoch.val_roc_auc for epoch in found.epochs]
    assert found.best_epoch == int(np.argmax(scores))
    lengths = best_lengths(found.epochs)
    assert lengths == {"head": found.best_epoch + 1}
    final = task.changed(lengths=lengths)
    run: list[EpochRecord] = []
    _, record, _ = train_detector(final, HEAD, run.append)
    assert len(record.epochs) == lengths["head"]
    assert record.best_epoch == lengths["head"] - 1
    assert len(run) == (FOLDS + 1) * lengths["head"]
    for epoch, searched in zip(record.epochs, found.epochs, strict=False):
        assert epoch.val_roc_auc == pytest.approx(searched.val_roc_auc, abs=1e-6)


def test_the_first_fold_says_when_it_stops_early() -> None:
    task = replace(folded(planted(200, 0, strength=0.0)), epochs=40)
    task = task.changed(patience=2, epochs=40)
    lengths = []
    cross_validate(task, HEAD, lambda mean: lengths.append(len(mean.epochs)))
    assert len(set(lengths)) == 1
    assert lengths[0] < 40


def epoch(number: int, score: float, seconds: float, stage: str = "head") -> EpochRecord:
    return EpochRecord(number, score / 2, score, 1 - score, score, score, seconds, 0.5, stage, 8)


def test_means_are_of_the_same_epoch_and_seconds_add_up() -> None:
    fits = [
        FitRecord((epoch(0, 0.6, 1.0), epoch(1, 0.9, 2.0)), 1),
        FitRecord((epoch(0, 0.8, 3.0), epoch(1, 0.4, 4.0)), 0),
    ]
    mean = mean_over_folds(fits)
    assert [e.val_roc_auc for e in mean.epochs] == pytest.approx([0.7, 0.65])
    assert [e.seconds for e in mean.epochs] == [4.0, 6.0]
    assert [e.val_seconds for e in mean.epochs] == [1.0, 1.0]
    assert mean.best_epoch == 0
    assert mean.best.train_loss == pytest.approx(0.35)


def test_a_solver_that_converged_earlier_stays_where_it_was() -> None:
    short = [epoch(0, 0.6, 1.0, LOGISTIC_REGRESSION)]
    long = [epoch(n, s, 1.0, LOGISTIC_REGRESSION) for n, s in enumerate((0.8, 0.7))]
    mean = mean_over_folds([FitRecord(tuple(short), 0), FitRecord(tuple(long), 1)])
    assert [e.val_roc_auc for e in mean.epochs] == pytest.approx([0.7, 0.65])
    assert [e.seconds for e in mean.epochs] == [2.0, 1.0]
    assert mean.best_epoch == 1


def test_stages_have_lengths_of_their_own() -> None:
    stages = [("head", 0.6), ("head", 0.7), ("head", 0.5), ("fine_tune", 0.8), ("fine_tune", 0.7)]
    epochs = [epoch(n, score, 1.0, stage) for n, (stage, score) in enumerate(stages)]
    mean = mean_over_folds([FitRecord(tuple(epochs), 3)] * 2)
    assert mean.best_epoch == 3
    assert best_lengths(mean.epochs) == {"head": 2, "fine_tune": 1}


@pytest.mark.parametrize("balance", ["none", "classes"])
def test_weights_are_of_the_rows_that_are_trained_on(balance: str) -> None:
    samples = planted(200, 0)
    kept = np.flatnonzero((samples.labels == 1) | (np.arange(200) % 3 == 0))
    task = folded(samples.subset(kept, None), balance=balance)
    for fold in task.folds:
        weights = fold.train.weights
        if balance == "none":
            assert weights is None
            continue
        assert weights is not None
        fake = fold.train.labels == 1
        assert weights[fake].sum() == pytest.approx(weights[~fake].sum(), rel=1e-5)


def test_chosen_rows_read_like_the_arrays_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, 3, 2)).astype(np.float16) for n in (5, 7)]
    whole = np.concatenate(parts)
    numbers = np.array([11, 0, 4, 5, 5])
    chosen = ChosenRows(parts, numbers)
    assert chosen.shape == (5, 3, 2)
    assert chosen.dtype == np.float16
    assert len(chosen) == 5
    np.testing.assert_array_equal(np.asarray(chosen), whole[numbers])
    np.testing.assert_array_equal(chosen[np.array([3, 0])], whole[[5, 11]])
    np.testing.assert_array_equal(chosen[np.int64(2)], whole[4])
    np.testing.assert_array_equal(ChosenRows([chosen], np.array([4, 1]))[1:], whole[[0]])
    assert chosen[np.array([], int)].shape == (0, 3, 2)


def test_no_fold_chooses_the_length_of_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head before other layers is as long for each fold as is best for all."""
    fitted: list[tuple[str, dict[str, int]]] = []
    scores = {"0": (0.9, 0.6, 0.5), "1": (0.5, 0.8, 0.6), "2": (0.5, 0.8, 0.9)}

    def planted_fit(task: FitTask, config: TrialConfig) -> FitRecord:
        fitted.append((task.part, dict(task.lengths)))
        head = [epoch(n, score, 1.0) for n, score in enumerate(scores[task.part])]
        if task.network.head_network is None:
            return FitRecord(tuple(head), 0)
        head = head[: task.lengths["head"]]
        layers = [epoch(len(head), 0.9, 1.0, "fine_tune")]
        return FitRecord((*head, *layers), len(head))

    monkeypatch.setattr("fakeface_bench.evaluation.cross_validation.fit_record", planted_fit)
    tuned = Mock(head_network=NETWORK)
    samples = planted(20, 0)
    parts = [FitTask(tuned, samples, samples, 3, 0, roc_auc, part=part) for part in scores]
    record = cross_validate(replace(parts[0], folds=tuple(parts)), HEAD, lambda mean: None)
    of_layers = fitted[len(scores) :]
    assert [lengths["head"] for _, lengths in of_layers] == [2, 2, 2]  # the means: 0.63, 0.73, 0.67
    assert [e.stage for e in record.epochs] == ["head", "head", "fine_tune"]
    assert best_lengths(record.epochs) == {"head": 2, "fine_tune": 1}
