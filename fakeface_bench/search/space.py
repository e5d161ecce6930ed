"""The space a study searches, and the point it starts from."""

from collections.abc import Sequence
from typing import Any

import optuna

from fakeface_bench.config import HeadConfig
from fakeface_bench.models.poolings import ACTIVATIONS, FEATURES, POOLINGS
from fakeface_bench.training.losses import LOSSES

UNITS = (0, 64, 128, 256, 512)
BATCH_SIZES = (32, 64, 128, 256)
MAX_DROPOUT = 0.6
LEARNING_RATES = (1e-4, 1e-2)
WEIGHT_DECAYS = (1e-5, 1e-1)

#: Raise it with any change of the space: older studies then keep their trials to themselves.
SPACE_VERSION = 1


def suggest_head(trial: optuna.Trial, poolings: Sequence[str], batch_size: int) -> HeadConfig:
    """Draw one head.

    Args:
        trial: Asked for each option.
        poolings: Keys that the network offers.
        batch_size: Fixed by the user; 0 searches it.
    """
    pooling = trial.suggest_categorical("pooling", list(poolings))
    features = trial.suggest_categorical("features", list(FEATURES))
    return HeadConfig(
        features="last" if POOLINGS[pooling].last_only else features,
        pooling=pooling,
        dropout=trial.suggest_float("dropout", 0.0, MAX_DROPOUT),
        batch_norm=trial.suggest_categorical("batch_norm", [False, True]),
        units=trial.suggest_categorical("units", UNITS),
        activation=trial.suggest_categorical("activation", list(ACTIVATIONS)),
        loss=trial.suggest_categorical("loss", list(LOSSES)),
        learning_rate=trial.suggest_float("learning_rate", *LEARNING_RATES, log=True),
        weight_decay=trial.suggest_float("weight_decay", *WEIGHT_DECAYS, log=True),
        batch_size=batch_size or trial.suggest_categorical("batch_size", BATCH_SIZES),
    )


def baseline_params(batch_size: int) -> dict[str, Any]:
    """Return the params of the trial that every study tries first."""
    params = HeadConfig().as_params()
    if batch_size:
        del params["batch_size"]
    return params
