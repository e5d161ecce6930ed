"""One fit of one trial's options, whatever they train."""

from typing import cast

import keras

from fakeface_bench.config import TrialConfig
from fakeface_bench.models.networks import FrozenNetwork, TrainedNetwork
from fakeface_bench.records import FitRecord
from fakeface_bench.training.head import fit_head
from fakeface_bench.training.layers import fit_layers, float32_twin
from fakeface_bench.training.task import FitTask, OnEpoch


def fit(
    task: FitTask, config: TrialConfig, on_epoch: OnEpoch | None = None
) -> tuple[keras.Model, FitRecord]:
    """Train one classifier and return it with the weights of its best epoch.

    The same task and options give the same weights on the same machine.

    Args:
        task: Data and rules.
        config: Options of the trial.
        on_epoch: Called after each epoch; what it raises ends the fit.
    """
    if isinstance(task.network, FrozenNetwork):
        return fit_head(task, task.network, config.head, on_epoch)
    return fit_layers(task, cast(TrainedNetwork, task.network), config, on_epoch)


def as_served(task: FitTask, config: TrialConfig, model: keras.Model) -> keras.Model:
    """Return a fitted classifier as it is scored and served: in float32, with the same values.

    Lower precision is for training alone, so that what is served does not hang on a device.
    """
    if task.precision == "float32" or isinstance(task.network, FrozenNetwork):
        return model
    return float32_twin(task, cast(TrainedNetwork, task.network), config, model)
