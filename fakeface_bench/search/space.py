"""The space a study searches, and the points it starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import optuna

from fakeface_bench.config import (
    HEAD,
    LOGISTIC_REGRESSION,
    HeadConfig,
    TrialConfig,
    TuningConfig,
    augments_in_play,
)
from fakeface_bench.search.options import (
    OPTIONS,
    Candidates,
    Range,
    Trained,
    Values,
    allowed_poolings,
    format_candidates,
    values_of,
)
from fakeface_bench.support.errors import UsageError
from fakeface_bench.training.networks import SCRATCH_STAGE, TUNING_STAGE, FrozenNetwork, Network
from fakeface_bench.training.poolings import POOLINGS, of_last_map

BATCH_SIZES = (32, 64, 128, 256)
#: Of unfrozen layers.
TUNING_BATCHES = (16, 32, 64)


@dataclass(frozen=True, slots=True)
class Space:
    """What a study leaves to its trials.

    Attributes:
        network: Which poolings, features and augmentations there are, and what is trained.
        batch_size: Fixed by the user; 0 searches it.
        augment: Fixed by the user; `search` searches it.
        asked: What the user fixes or narrows: see `search.options.narrowed`.
    """

    network: Network
    batch_size: int
    augment: str
    asked: Mapping[str, Candidates] = field(default_factory=dict)

    @property
    def candidates(self) -> dict[str, Candidates]:
        """What each option is drawn from, in the order of drawing.

        Raises:
            UsageError: If a pooling is asked for that this network has not.
        """
        frozen, maps = isinstance(self.network, FrozenNetwork), bool(self.network.poolings)
        trained = Trained(frozen, self._tunes, maps)
        features = self.asked.get("features", tuple(self.network.features))
        rows: dict[str, Candidates] = {
            "classifier": (),
            "pooling": self._poolings(features),
            "features": features,
        }
        for name in OPTIONS:
            rows[name] = rows.get(name) or self.asked.get(name, trained.offers(name))
        rows["augment"] = augments_in_play(self.augment, self.network.augments)
        fixed = (self.batch_size,) if self.batch_size else ()
        rows["batch_size"] = fixed or BATCH_SIZES
        rows["fine_batch_size"] = (fixed or TUNING_BATCHES) if self._tunes else ()
        return {name: rows[name] for name in _ORDER if rows[name]}

    def _poolings(self, features: Candidates) -> Values:
        offered = tuple(self.network.poolings)
        asked = values_of(self.asked.get("pooling", offered))
        if missing := [key for key in asked if key not in offered]:
            raise UsageError(
                f"pooling {missing[0]!r} would be too large to keep of this network's last map; it "
                f"has {format_candidates(offered)}."
            )
        return allowed_poolings(asked, features)

    @property
    def _tunes(self) -> bool:
        """Whether unfrozen layers are trained after the head."""
        return TUNING_STAGE in self.network.stages

    def first_trials(self) -> list[dict[str, Any]]:
        """Return the params of the trials that every study begins with, less what is fixed.

        Logistic regression as it comes, where it can be fitted, and then the plain head; where
        options are narrowed, the nearest to these.
        """
        classifiers = values_of(self.candidates["classifier"])
        baseline = self.baseline() if LOGISTIC_REGRESSION in classifiers else None
        plain = self.plain() if HEAD in classifiers else None
        return [self._drawn(config) for config in (baseline, plain) if config]

    def baseline(self) -> TrialConfig | None:
        """Return logistic regression as it comes, on frozen features that may be drawn."""
        if not isinstance(self.network, FrozenNetwork):
            return None
        return self._nearest(TrialConfig(self.network.baseline), LOGISTIC_REGRESSION)

    def plain(self) -> TrialConfig:
        """Return the options of the plain head, and of the layers under it."""
        # A network from scratch learns little without: `batch_norm=false` shows it.
        head = HeadConfig(
            features=self.network.features[0], batch_norm=SCRATCH_STAGE in self.network.stages
        )
        augment = "light" if self.network.augments else ""
        tuning = TuningConfig() if self._tunes else None
        return self._nearest(TrialConfig(head, augment, tuning), HEAD)

    def points(self) -> list[dict[str, Any]] | None:
        """Return the params of every point, less what is fixed; None where there is a range.

        The first trials come first. No two give the same options.
        """
        candidates = self.candidates
        found: dict[TrialConfig, dict[str, Any]] = {}
        first = self.first_trials()
        for classifier in values_of(candidates["classifier"]):
            rows = {**candidates, "classifier": (classifier,)}
            rows = {name: rows[name] for name in rows if _has(classifier, name)}
            if any(isinstance(row, Range) for row in rows.values()):
                return None
            for values in product(*map(values_of, rows.values())):
                config = self.config(dict(zip(rows, values, strict=True)))
                found.setdefault(config, self._drawn(config))
        others = [params for params in found.values() if params not in first]
        return [*first, *others]

    def config(self, drawn: Mapping[str, Any]) -> TrialConfig:
        """Return the options that a draw makes: a pooling may read the last map alone."""
        features = drawn["features"]
        if "pooling" in drawn and POOLINGS[drawn["pooling"]].last_only:
            asked = values_of(self.candidates["features"])
            last = of_last_map(features)
            features = last if last in asked else next(f for f in asked if of_last_map(f) == f)
        return TrialConfig.from_params({**drawn, "features": features})

    def _nearest(self, config: TrialConfig, classifier: str) -> TrialConfig:
        """Return a classifier's options, each value replaced by the nearest that may be drawn."""
        candidates = {**self.candidates, "classifier": (classifier,)}
        params = config.as_params()
        return self.config(
            {
                name: _nearest_of(candidates[name], value)
                for name, value in params.items()
                if name in candidates
            }
        )

    def _drawn(self, config: TrialConfig) -> dict[str, Any]:
        """Return options as a trial's params, without what is fixed."""
        candidates = self.candidates
        params = config.as_params()
        return {name: value for name, value in params.items() if _is_drawn(candidates[name])}


#: The order in which options are drawn: a change of it changes what a seed draws.
_ORDER = (
    *("classifier", "pooling", "features", "C", "dropout", "batch_norm", "units", "activation"),
    *("loss", "learning_rate", "weight_decay", "batch_size"),
    *("augment", "fine_learning_rate", "fine_weight_decay", "fine_batch_size"),
)


def _has(classifier: str, name: str) -> bool:
    """Whether a classifier has an option; only a head reads batches."""
    owner = OPTIONS[name].classifier if name in OPTIONS else ""
    owner = HEAD if name == "batch_size" else owner
    return owner in ("", classifier)


def _is_drawn(candidates: Candidates) -> bool:
    return isinstance(candidates, Range) or len(candidates) > 1


def _nearest_of(candidates: Candidates, value: Any) -> Any:
    if isinstance(candidates, Range):
        return min(max(value, candidates.low), candidates.high)
    if value in candidates:
        return value
    if isinstance(value, str):
        return candidates[0]
    return min(candidates, key=lambda each: abs(each - value))


def suggest(trial: optuna.Trial, space: Space) -> TrialConfig:
    """Draw one point of the space."""
    drawn: dict[str, Any] = {}
    for name, candidates in space.candidates.items():
        if name == "classifier" or _has(drawn["classifier"], name):
            drawn[name] = _draw(trial, name, candidates)
    return space.config(drawn)


def _draw(trial: optuna.Trial, name: str, candidates: Candidates) -> Any:
    if not isinstance(candidates, Range):
        return trial.suggest_categorical(name, candidates) if len(candidates) > 1 else candidates[0]
    if name in OPTIONS and OPTIONS[name].whole:
        return trial.suggest_int(name, int(candidates.low), int(candidates.high))
    return trial.suggest_float(name, candidates.low, candidates.high, log=candidates.log)
