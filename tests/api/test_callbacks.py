"""Whoever watches a study hears of its trials and epochs, and may stop them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import fakeface_bench
from fakeface_bench import Callback, StopSearch, StopTrial
from fakeface_bench.support.errors import UsageError

pytestmark = pytest.mark.usefixtures("here")
OPTIONS: dict[str, Any] = {"model": "residual", "image_size": 96, "progress": False, "epochs": 3}


class Watcher(Callback):
    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.options: list[Mapping[str, Any]] = []
        self.ended: list[Mapping[str, Any]] = []

    def on_trial_begin(self, number: int, options: Mapping[str, Any]) -> None:
        self.heard.append(("begin", number))
        self.options.append(options)

    def on_epoch_end(self, number: int, epoch: Mapping[str, Any]) -> None:
        self.heard.append(("epoch", number))
        assert 0 <= epoch["val_roc_auc"] <= 1

    def on_trial_end(self, number: int, trial: Mapping[str, Any]) -> None:
        self.heard.append(("end", number))
        self.ended.append(trial)


def test_every_trial_and_epoch_is_heard_of(tiny_faces: Path) -> None:
    watcher = Watcher()
    study = fakeface_bench.run_study(data=tiny_faces, trials=2, callbacks=[watcher], **OPTIONS)
    epochs = dict(zip(study.trials["number"], study.trials["epochs"], strict=True))
    expected = [
        heard
        for number in (0, 1)
        for heard in (("begin", number), *[("epoch", number)] * epochs[number], ("end", number))
    ]
    assert watcher.heard == expected
    assert [trial["state"] for trial in watcher.ended] == ["complete", "complete"]
    assert max(trial["value"] for trial in watcher.ended) == study.trials["value"][0]
    assert watcher.options[0]["classifier"] == "logistic_regression"


class Stopper(Watcher):
    """Stops the second trial after its first epoch, by one of the two exceptions."""

    def __init__(self, how: type[Exception]) -> None:
        super().__init__()
        self.how = how

    def on_epoch_end(self, number: int, epoch: Mapping[str, Any]) -> None:
        super().on_epoch_end(number, epoch)
        if number == 1:
            raise self.how


def test_a_trial_is_stopped_and_the_next_begins(tiny_faces: Path) -> None:
    watcher = Stopper(StopTrial)
    options = OPTIONS | {"seed": 1}
    study = fakeface_bench.run_study(data=tiny_faces, trials=3, callbacks=[watcher], **options)
    states = dict(zip(study.trials["number"], study.trials["state"], strict=True))
    assert states[1] == "pruned"
    assert len(states) == 3
    assert watcher.heard.count(("epoch", 1)) == 1


def test_a_search_is_stopped_and_topped_up_by_the_next_call(tiny_faces: Path) -> None:
    watcher = Stopper(StopSearch)
    options = OPTIONS | {"seed": 2, "trials": 3}
    study = fakeface_bench.run_study(data=tiny_faces, callbacks=[watcher], **options)
    assert list(study.trials["state"]) == ["complete", "pruned"]
    assert study.metrics.loc["roc_auc", "test"] >= 0
    whole = fakeface_bench.run_study(data=tiny_faces, **options)
    assert whole.run_id != study.run_id
    assert len(whole.trials) == 3
    found = fakeface_bench.run_study(data=tiny_faces, **options)
    assert found.run_id == whole.run_id


def test_an_error_of_a_callback_is_the_callers_and_none_of_the_trials(tiny_faces: Path) -> None:
    class Broken(Callback):
        def on_epoch_end(self, number: int, epoch: Mapping[str, Any]) -> None:
            raise ZeroDivisionError

    class BrokenAtFirst(Callback):
        def on_trial_begin(self, number: int, options: Mapping[str, Any]) -> None:
            raise ZeroDivisionError

    options = OPTIONS | {"seed": 3, "trials": 1}
    for broken in (Broken(), BrokenAtFirst()):
        with pytest.raises(ZeroDivisionError):
            fakeface_bench.run_study(data=tiny_faces, callbacks=[broken], **options)
    study = fakeface_bench.run_study(data=tiny_faces, **options | {"trials": 2})
    undisturbed = fakeface_bench.run_study(
        data=tiny_faces, **options | {"trials": 2, "study": "undisturbed"}
    )
    for table in (study.trials, undisturbed.trials):
        assert list(table["state"][:2]) == ["complete", "complete"]
    assert list(study.trials["value"][:2]) == list(undisturbed.trials["value"])


def test_a_stopped_study_of_several_seeds_is_not_taken_for_a_whole_one(tiny_faces: Path) -> None:
    class AtOnce(Callback):
        def on_trial_end(self, number: int, trial: Mapping[str, Any]) -> None:
            raise StopSearch

    options = OPTIONS | {"seed": 4, "trials": 2, "seeds": 2}
    stopped = fakeface_bench.run_study(data=tiny_faces, callbacks=[AtOnce()], **options)
    assert len(stopped.trials) == 1
    whole = fakeface_bench.run_study(data=tiny_faces, **options | {"trials": 1})
    assert whole.run_id != stopped.run_id


def test_what_is_no_callback_is_refused(tiny_faces: Path) -> None:
    with pytest.raises(UsageError, match="callbacks holds function, which is no"):
        fakeface_bench.run_study(
            data=tiny_faces,
            callbacks=[lambda trial: None],  # type: ignore[list-item]
            **OPTIONS,
        )
