"""Keras runs as the project needs it whatever the user's settings say, and TensorFlow is quiet."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from fakeface_bench.support.backend import settle_keras
from fakeface_bench.support.errors import ModelError
from tests.command import ROOT

#: Settings of somebody who uses Keras for something else.
OTHERS = {"backend": "jax", "floatx": "float16", "image_data_format": "channels_first"}
#: Freezing a graph is what made TensorFlow talk.
PROGRAM = """
import json
from fakeface_bench.support.machine import start_tensorflow
start_tensorflow()
import keras, numpy as np
from fakeface_bench.features.engine import FrozenGraph
pixels = keras.Input((8, 6, 3))
network = keras.Model(pixels, keras.layers.Conv2D(2, 3)(pixels))
(out,) = FrozenGraph(network)(np.zeros((1, 8, 6, 3), np.uint8)).values()
print(json.dumps([keras.config.backend(), list(out.shape), out.dtype.name,
                  network.weights[0].dtype, keras.config.image_data_format()]))
"""


def settings_of_another(folder: Path) -> dict[str, str]:
    """Return the variables of a user whose Keras is set otherwise."""
    folder.mkdir(exist_ok=True)
    (folder / "keras.json").write_text(json.dumps(OTHERS))
    return {"KERAS_BACKEND": "torch", "KERAS_HOME": str(folder)}


def test_what_a_user_has_set_changes_nothing_and_nothing_is_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=os.environ | settings_of_another(tmp_path) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    description = ["tensorflow", [1, 6, 4, 2], "float32", "float32", "channels_last"]
    assert json.loads(done.stdout) == description
    assert done.stderr == ""


def test_keras_that_runs_on_another_backend_already_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(ModelError, match="set KERAS_BACKEND=tensorflow before anything imports K"):
        settle_keras()
