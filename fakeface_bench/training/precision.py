"""In what numbers trained layers compute: measured on this machine, for this network."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from fakeface_bench.config import AUTO, PRECISIONS, TrialConfig
from fakeface_bench.support.machine import gpus, may_have_bfloat16, out_of_memory
from fakeface_bench.training.fit import (
    compiled_layers,
    step_settings,
    training_epochs,
    untrained_start,
)
from fakeface_bench.training.networks import FitTask, TrainedNetwork

#: A lower precision must be at least this many times faster than float32 to be taken: within it
#: machines are noisy, and float32 is what the weights were made in.
WORTH_IT = 1.1
#: The shortest round counts: what else runs on the machine makes rounds longer, none shorter.
_ROUNDS = 3
_ROUND_STEPS = 3


@dataclass(frozen=True, slots=True)
class Precision:
    """What was chosen, and what it was chosen by.

    Attributes:
        name: One of `config.PRECISIONS`.
        step_seconds: Of one training step in each that was tried; empty where nothing was to be
            chosen.
    """

    name: str
    step_seconds: Mapping[str, float]

    def as_metrics(self) -> dict[str, float]:
        """Return the measured steps under their MLflow names."""
        return {
            f"cost/step_seconds_{name}": value
            for name, value in self.step_seconds.items()
            if math.isfinite(value)
        }


def choose_precision(asked: str, task: FitTask, config: TrialConfig) -> Precision:
    """Return the precision asked for; for `auto` the one whose training step is fastest here.

    Args:
        asked: One of `config.PRECISIONS`, or `auto`.
        task: Of a network with trained layers; a few of its train rows are used.
        config: The trial whose batch size and head are measured.
    """
    if asked != AUTO:
        return Precision(asked, {})
    candidates = _in_hardware()
    if len(candidates) == 1:
        return Precision(candidates[0], {})
    seconds = {name: _step_seconds(replace(task, precision=name), config) for name in candidates}
    full = candidates[0]
    fastest = min(seconds, key=lambda name: seconds[name])
    worth_it = seconds[fastest] * WORTH_IT <= seconds[full]
    return Precision(fastest if worth_it else full, seconds)


def _in_hardware() -> tuple[str, ...]:
    """Return what this machine does not merely emulate, which is never worth it."""
    if gpus():
        return PRECISIONS
    return PRECISIONS[:2] if may_have_bfloat16() else PRECISIONS[:1]


def _step_seconds(task: FitTask, config: TrialConfig) -> float:
    """Return the least time of a step, after one that compiles; infinite without the memory."""
    network = cast(TrainedNetwork, task.network)
    start = untrained_start(task, network, config)
    batch_size = min(step_settings(config).batch_size, len(task.train))
    try:
        model = compiled_layers(task, network, config, start, steps=1)
        with training_epochs(task, network, config, batch_size).epoch(0) as batches:
            step = batches.take(1).cache()
            model.fit(step, shuffle=False, verbose=0)
            seconds = []
            for _ in range(_ROUNDS):
                started = time.perf_counter()
                model.fit(step.repeat(_ROUND_STEPS), shuffle=False, verbose=0)
                seconds.append((time.perf_counter() - started) / _ROUND_STEPS)
            return min(seconds)
    except out_of_memory():
        return math.inf
