"""Keras as this project needs it: on TensorFlow, in float32, channels last, and quiet.

It travels inside every logged model, so that one is served the same wherever it is loaded.
"""

import ctypes
import mmap
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakeface_bench.support.errors import ModelError, UsageError

_BACKEND = "tensorflow"
#: Of the C++ libraries: what ends the process alone. Other errors reach Python as exceptions.
_FATAL = 3
#: What sets it, as C++ compilers spell it; its namespace carries Abseil's version.
_SET_LEVEL = re.compile(rb"_ZN4absl\d+lts_\d+14SetMinLogLevel\w+")


def settle_keras(cores: int | None = None) -> None:
    """Import Keras on TensorFlow, whatever `KERAS_BACKEND` or a `keras.json` says.

    Every module that imports Keras comes after this call. What is written to standard error
    meanwhile is shown only if it fails.

    Args:
        cores: Threads that an operation computes with, on which its sums depend; 0 for all cores,
            None where it does not matter.

    Raises:
        ModelError: If Keras was imported before, on another backend.
        UsageError: If TensorFlow computes with another number of threads in this process already.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = _BACKEND
    with _silent_standard_error():
        import keras

        if keras.config.backend() != _BACKEND:
            raise ModelError(
                f"Keras runs on {keras.config.backend()} in this process, and the detectors of "
                f"this project on {_BACKEND}: set KERAS_BACKEND={_BACKEND} before anything "
                "imports Keras."
            )
        import tensorflow as tf

        if cores is not None:
            _compute_with(cores)
        tf.config.list_logical_devices()  # the first look at the devices is what talks most
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    _silence(Path(tf.sysconfig.get_lib()))


#: How many threads a study has asked for in this process; whatever else holds is the user's.
_ASKED_CORES: list[int] = []


def _compute_with(cores: int) -> None:
    import tensorflow as tf

    known = tf.config.threading.get_intra_op_parallelism_threads()
    if cores == known or not (cores or _ASKED_CORES):
        return
    _ASKED_CORES.append(cores)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(cores)
    except RuntimeError as error:
        raise UsageError(
            f"trial_cores {cores or 'of all cores'}: TensorFlow computes with "
            f"{known or 'all cores'} in this process already, and cannot change that: begin a new "
            "process (in a notebook, restart the kernel)."
        ) from error


def _silence(libraries: Path) -> None:
    """Let TensorFlow's C++ code print nothing but what ends the process.

    Its variable `TF_CPP_MIN_LOG_LEVEL` does not reach the logger that most of it uses since
    version 2.20, and Python has no other way to it than the function in the library itself.
    """
    for library in libraries.glob("libtensorflow_framework*"):
        with open(library, "rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            found = _SET_LEVEL.search(content)
            name = found[0].decode() if found else ""
            del found  # it holds the file open
            content.close()
        if name:
            getattr(ctypes.CDLL(str(library)), name)(_FATAL)
            return


@contextmanager
def _silent_standard_error() -> Iterator[None]:
    """Hold back file descriptor 2, which C++ libraries write to, and Python's stderr with it."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
