"""A job in somebody else's process: afterwards that is as it was.

What cannot be put back is TensorFlow's own: operations stay deterministic
(`tf.config.experimental.enable_op_determinism`), its global seed is 0, its C++ code stays quiet,
and Keras stays on TensorFlow.
"""

import logging
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np

from fakeface_bench.support.machine import THREADS_VARIABLES
from fakeface_bench.support.processes import commands_told_to
from fakeface_bench.support.progress import Progress

#: Random numbers, Keras's settings and MLflow's runs are the process's: jobs in several threads
#: take turns.
_TURN = threading.RLock()


@contextmanager
def as_guest(progress: bool | Progress = False) -> Iterator[Progress]:
    """Put back, when the block ends, what it has changed of the process.

    That is the environment variables that this project sets, random numbers of Python and NumPy,
    levels of loggers, Keras's defaults, and the verbosity of Optuna. Jobs in other threads wait.

    The value is told how far the job is, by the studies too that run in processes of their own;
    on a terminal these show it themselves.
    """
    from fakeface_bench.api.progress import ConsoleProgress, progress_of, tell_line

    with _TURN, ExitStack() as kept:
        for put_back in (_environment, _random_numbers, _loggers, _keras, _optuna):
            kept.callback(put_back())
        shown = progress_of(progress)
        if not isinstance(shown, ConsoleProgress):
            kept.enter_context(commands_told_to(partial(tell_line, shown)))
        yield shown


#: Environment variables that this project sets.
_VARIABLES = (
    *THREADS_VARIABLES,
    "KERAS_BACKEND",
    "TF_CPP_MIN_LOG_LEVEL",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT",
)


def _environment() -> Callable[[], None]:
    before = {name: os.environ.get(name) for name in _VARIABLES}

    def put_back() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return put_back


def _random_numbers() -> Callable[[], None]:
    of_python, of_numpy = random.getstate(), np.random.get_state()

    def put_back() -> None:
        random.setstate(of_python)
        np.random.set_state(of_numpy)

    return put_back


def _loggers() -> Callable[[], None]:
    """Remember what each logger lets through; one that is made meanwhile is not to be silent."""

    def levels() -> dict[logging.Logger, int]:
        known = list(logging.root.manager.loggerDict.values())
        return {log: log.level for log in known if isinstance(log, logging.Logger)}

    before = levels()

    def put_back() -> None:
        for log, level in levels().items():
            if log in before:
                log.setLevel(before[log])
            elif level >= logging.ERROR:
                log.setLevel(logging.NOTSET)

    return put_back


def _keras() -> Callable[[], None]:
    """Remember Keras's defaults; its own, where it is imported only now."""
    keras = sys.modules.get("keras")
    if keras is None:
        return _talk_again
    config = keras.config
    policy, form = config.dtype_policy(), config.image_data_format()
    floats, talks = config.floatx(), config.is_interactive_logging_enabled()

    def put_back() -> None:
        config.set_floatx(floats)
        config.set_image_data_format(form)
        config.set_dtype_policy(policy)
        (config.enable_interactive_logging if talks else config.disable_interactive_logging)()

    return put_back


def _optuna() -> Callable[[], None]:
    """Remember how much Optuna tells; what it does by itself, where it is imported only now."""
    optuna = sys.modules.get("optuna")
    level = optuna.logging.get_verbosity() if optuna else logging.INFO

    def put_back() -> None:
        if imported := sys.modules.get("optuna"):
            imported.logging.set_verbosity(level)

    return put_back


def _talk_again() -> None:
    if keras := sys.modules.get("keras"):
        keras.config.enable_interactive_logging()
