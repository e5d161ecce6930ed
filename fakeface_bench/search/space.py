"""The space a study searches, and the point it starts from."""

from dataclasses import dataclass, replace
from typing import Any

import optuna

from fakeface_bench.config import (
    CLASSIFIERS,
    HEAD,
    LOGISTIC_REGRESSION,
    HeadConfig,
    TrialConfig,
    TuningConfig,
    augments_in_play,
    logistic_regression,
)
from fakeface_bench.training.losses import LOSSES
from fakeface_bench.training.networks import SCRATCH_STAGE, TUNING_STAGE, FrozenNetwork, Network
from fakeface_bench.training.poolings import ACTIVATIONS, POOLINGS, of_last_map

UNITS = (0, 64, 128, 256, 512)
BATCH_SIZES = (32, 64, 128, 256)
MAX_DROPOUT = 0.6
LEARNING_RATES = (1e-4, 1e-2)
WEIGHT_DECAYS = (1e-5, 1e-1)
#: Of logistic regression.
PENALTIES = (1e-4, 1e1)
#: Of unfrozen layers: lower, for what they know is to be bent and not replaced.
TUNING_RATES = (3e-5, 1e-3)
TUNING_DECAYS = (1e-4, 1e-1)
TUNING_BATCHES = (16, 32, 64)


@dataclass(frozen=True, slots=True)
class Space:
    """What a study leaves to its trials."""

    network: Network  # which poolings and augmentations there are, and what is trained
    batch_size: int  # fixed by the user; 0 searches it
    augment: str  # fixed by the user; `search` searches it

    @property
    def augments(self) -> tuple[str, ...]:
        """Augmentations to choose from; empty where no layer under the head is trained."""
        return augments_in_play(self.augment, self.network.augments)

    @property
    def tunes(self) -> bool:
        """Whether unfrozen layers are trained after the head."""
        return TUNING_STAGE in self.network.stages

    @property
    def classifiers(self) -> tuple[str, ...]:
        """What is fitted: logistic regression too where nothing under it is trained."""
        return CLASSIFIERS if isinstance(self.network, FrozenNetwork) else (HEAD,)

    def first_trials(self) -> list[dict[str, Any]]:
        """Return the params of the trials that every study begins with, less what is fixed.

        Logistic regression as it comes, where it can be fitted, and then the plain head.
        """
        first = [self.plain()]
        if isinstance(self.network, FrozenNetwork):
            first.insert(0, TrialConfig(self.network.baseline))
        return [self._searched_params(config) for config in first]

    def plain(self) -> TrialConfig:
        """Return the options of the plain head, and of the layers under it."""
        augments = self.augments
        usual = "light" if "light" in augments else augments[0] if augments else ""
        # A network from scratch learns little without: measured in benchmarks/fine_tuned_studies.
        head = HeadConfig(
            features=self.network.features[0], batch_norm=SCRATCH_STAGE in self.network.stages
        )
        tuning = TuningConfig()
        if self.batch_size:
            head = replace(head, batch_size=self.batch_size)
            tuning = replace(tuning, batch_size=self.batch_size)
        return TrialConfig(head, usual, tuning if self.tunes else None)

    def _searched_params(self, config: TrialConfig) -> dict[str, Any]:
        """Return options as a trial's params, without what is fixed."""
        params = config.as_params()
        if self.batch_size:
            params = {k: v for k, v in params.items() if not k.endswith("batch_size")}
        if len(self.augments) == 1:
            del params["augment"]
        if len(self.classifiers) == 1:
            del params["classifier"]
        return params


def suggest(trial: optuna.Trial, space: Space) -> TrialConfig:
    """Draw one point of the space."""
    head = _suggest_head(trial, space)
    augments = space.augments
    augment = augments[0] if augments else ""
    if len(augments) > 1:
        augment = trial.suggest_categorical("augment", augments)
    tuning = None
    if space.tunes:
        tuning = TuningConfig(
            learning_rate=trial.suggest_float("fine_learning_rate", *TUNING_RATES, log=True),
            weight_decay=trial.suggest_float("fine_weight_decay", *TUNING_DECAYS, log=True),
            batch_size=space.batch_size
            or trial.suggest_categorical("fine_batch_size", TUNING_BATCHES),
        )
    return TrialConfig(head, augment, tuning)


def _suggest_head(trial: optuna.Trial, space: Space) -> HeadConfig:
    classifier = space.classifiers[0]
    if len(space.classifiers) > 1:
        classifier = trial.suggest_categorical("classifier", space.classifiers)
    pooling = trial.suggest_categorical("pooling", list(space.network.poolings))
    features = trial.suggest_categorical("features", list(space.network.features))
    if POOLINGS[pooling].last_only:
        features = of_last_map(features)
    if classifier == LOGISTIC_REGRESSION:
        penalty = trial.suggest_float("C", *PENALTIES, log=True)
        return logistic_regression(features=features, pooling=pooling, C=penalty)
    return HeadConfig(
        classifier=classifier,
        features=features,
        pooling=pooling,
        dropout=trial.suggest_float("dropout", 0.0, MAX_DROPOUT),
        batch_norm=trial.suggest_categorical("batch_norm", [False, True]),
        units=trial.suggest_categorical("units", UNITS),
        activation=trial.suggest_categorical("activation", list(ACTIVATIONS)),
        loss=trial.suggest_categorical("loss", list(LOSSES)),
        learning_rate=trial.suggest_float("learning_rate", *LEARNING_RATES, log=True),
        weight_decay=trial.suggest_float("weight_decay", *WEIGHT_DECAYS, log=True),
        batch_size=space.batch_size or trial.suggest_categorical("batch_size", BATCH_SIZES),
    )
