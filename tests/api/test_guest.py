"""A study in somebody's process: beside what runs there, and without a trace left behind."""

import logging
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import keras
import mlflow
import numpy as np
import optuna
import pytest

import fakeface_bench
from fakeface_bench.api.guest import as_guest
from tests.workplace import Workplace

OPTIONS = {"model": "residual", "trials": 1, "epochs": 1, "image_size": 96, "progress": False}


@pytest.mark.usefixtures("here")
def test_the_process_is_as_it_was(tiny_faces: Path) -> None:
    log = logging.getLogger("alembic")
    log.setLevel(logging.INFO)
    optuna.logging.set_verbosity(optuna.logging.INFO)
    keras.config.enable_interactive_logging()
    random.seed(3)
    np.random.seed(3)
    before = dict(os.environ), random.getstate(), Path.cwd()
    fakeface_bench.run_study(data=tiny_faces, **OPTIONS)
    try:
        assert dict(os.environ) == before[0]
        assert random.getstate() == before[1]
        assert Path.cwd() == before[2]
        assert np.random.random() == np.random.RandomState(3).random()
        assert log.level == logging.INFO
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
        assert keras.config.is_interactive_logging_enabled()
        assert mlflow.active_run() is None
    finally:
        keras.config.disable_interactive_logging()
        optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_an_error_leaves_it_as_it_was_too() -> None:
    before = dict(os.environ)

    def fail() -> None:
        with as_guest():
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "7"
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert dict(os.environ) == before


@pytest.mark.usefixtures("here")
def test_in_an_active_run_a_study_is_its_child(place: Workplace, tiny_faces: Path) -> None:
    mlflow.set_experiment("notebook")
    try:
        with mlflow.start_run(run_name="mine") as outer:
            study = fakeface_bench.run_study(data=tiny_faces, seed=1, **OPTIONS)
            assert mlflow.active_run().info.run_id == outer.info.run_id
            again = fakeface_bench.run_study(data=tiny_faces, seed=1, **OPTIONS)
        assert again.run_id == study.run_id
        run = place.client.get_run(study.run_id)
        assert run.data.tags["mlflow.parentRunId"] == outer.info.run_id
        assert run.info.experiment_id == outer.info.experiment_id
        assert run.info.status == "FINISHED"
        assert place.client.get_run(outer.info.run_id).info.status == "FINISHED"
    finally:
        mlflow.set_experiment("Default")


@pytest.mark.usefixtures("here")
def test_two_studies_in_threads_take_turns(tiny_faces: Path) -> None:
    found: dict[int, float] = {}

    def run(seed: int) -> None:
        study = fakeface_bench.run_study(data=tiny_faces, seed=seed, **OPTIONS)
        found[seed] = study.metrics.loc["roc_auc", "test"]

    threads = [threading.Thread(target=run, args=[seed]) for seed in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = fakeface_bench.run_study(data=tiny_faces, seed=2, again=True, **OPTIONS)
    assert set(found) == {2, 3}
    assert found[2] == alone.metrics.loc["roc_auc", "test"]


def test_what_is_imported_only_now_talks_as_it_does_by_itself() -> None:
    """In a notebook Keras comes after the first study."""
    code = (
        "from fakeface_bench.api.guest import as_guest\n"
        "from fakeface_bench.support.machine import start_tensorflow\n"
        "with as_guest():\n"
        "    start_tensorflow()\n"
        "    import optuna; optuna.logging.set_verbosity(optuna.logging.WARNING)\n"
        "import keras, logging\n"
        "assert keras.config.is_interactive_logging_enabled()\n"
        "assert logging.getLogger('tensorflow').level < logging.ERROR\n"
        "assert optuna.logging.get_verbosity() == optuna.logging.INFO\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
