"""What a study cost: every second of it in one stage, spent now or charged from an earlier run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: Stages of a study in their order; what belongs to none is `overhead`, so that they add up.
STAGES = (
    "preparation",
    "extraction",
    "search_complete",
    "search_pruned",
    "search_failed",
    "final_fit",
    "repeats",
    "evaluation",
    "overhead",
)
#: Validation ROC AUC that a search is timed to.
TARGETS = (0.75, 0.8, 0.9, 0.95, 0.99)
SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one stage took.

    Attributes:
        stage: One of `STAGES`.
        spent_seconds: In the process that wrote the ledger.
        amortised_seconds: By earlier processes, whose result this one found: charged all the same.
        images: Passages of a picture through this stage: each epoch counts its pictures again.
    """

    stage: str
    spent_seconds: float
    amortised_seconds: float = 0.0
    images: int = 0

    @property
    def seconds(self) -> float:
        """All that the stage is charged."""
        return self.spent_seconds + self.amortised_seconds


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a study cost.

    Attributes:
        stages: One of each of `STAGES`; what they spent adds up to the process's wall clock.
        other: Other costs by their name under `cost/`: `parameters`, `mmacs_per_image`,
            `first_epoch_seconds`, `peak_memory_gb` and so on.
        targets: Seconds from a cold start until a validation ROC AUC (`0.75`) was first reached;
            what was never reached is absent.
        dollars_per_hour: Price of the machine; 0 where none was given.
        unmeasured: Why a cost is not among these, by its name.
    """

    stages: tuple[StageCost, ...]
    other: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    dollars_per_hour: float = 0.0
    unmeasured: Mapping[str, str] = field(default_factory=dict)

    @property
    def total_cold_seconds(self) -> float:
        """As if nothing had been cached; trials that failed or were killed are charged too."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def total_warm_seconds(self) -> float:
        """Wall clock of the process, as it ran."""
        return sum(stage.spent_seconds for stage in self.stages)

    def seconds_of_trials(self, trials: int, of: int) -> float:
        """Return the cold seconds as if of fewer trials than were run; all where 0 are known."""
        search = sum(cost.seconds for cost in self.stages if cost.stage.startswith("search_"))
        return self.total_cold_seconds - (search * (1 - trials / of) if trials else 0.0)

    def stage(self, name: str) -> StageCost:
        """Return the cost of one of `STAGES`."""
        return next(cost for cost in self.stages if cost.stage == name)

    def price(self, seconds: float) -> float:
        """Return what the machine costs for some seconds, in dollars."""
        return seconds / SECONDS_AN_HOUR * self.dollars_per_hour

    def as_metrics(self) -> dict[str, float]:
        """Return the costs under their MLflow names; a stage's seconds are those charged."""
        totals = {"cold": self.total_cold_seconds, "warm": self.total_warm_seconds}
        metrics = {f"cost/{cost.stage}_seconds": cost.seconds for cost in self.stages}
        metrics |= {f"cost/total_{name}_seconds": seconds for name, seconds in totals.items()}
        metrics |= {f"cost/to_roc_auc_{key}_seconds": value for key, value in self.targets.items()}
        metrics |= {f"cost/{key}": value for key, value in self.other.items()}
        if self.dollars_per_hour:
            prices = {f"cost/total_{name}_dollars": self.price(s) for name, s in totals.items()}
            metrics |= prices
        return metrics

    def as_json(self) -> dict[str, Any]:
        """Return the ledger as JSON can hold it, with what can be derived spelled out."""
        shown = {
            "total_cold_seconds": self.total_cold_seconds,
            "total_warm_seconds": self.total_warm_seconds,
            "stages": [
                asdict(cost) | {"seconds": cost.seconds, "amortised": cost.amortised_seconds > 0}
                for cost in self.stages
            ],
            "figures": dict(self.other),
            "seconds_to_val_roc_auc": {
                target_key(target): self.targets.get(target_key(target)) for target in TARGETS
            },
            "dollars_per_hour": self.dollars_per_hour,
            "unmeasured": dict(self.unmeasured),
        }
        if self.dollars_per_hour:
            shown["total_cold_dollars"] = self.price(self.total_cold_seconds)
            shown["total_warm_dollars"] = self.price(self.total_warm_seconds)
        return shown

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Ledger":
        """Rebuild the record from what `as_json` returned."""
        names = ("stage", "spent_seconds", "amortised_seconds", "images")
        targets = content["seconds_to_val_roc_auc"]
        return cls(
            stages=tuple(StageCost(*(row[name] for name in names)) for row in content["stages"]),
            other=content["figures"],
            targets={key: value for key, value in targets.items() if value is not None},
            dollars_per_hour=content["dollars_per_hour"],
            unmeasured=content["unmeasured"],
        )


def target_key(target: float) -> str:
    """Return a target as names hold it: `0.75`, `0.8`."""
    return f"{target:g}"


def first_reached(epochs: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return when each of `TARGETS` was first reached, by `target_key`.

    Args:
        epochs: End of each epoch, in seconds from a cold start, and validation ROC AUC after it.
    """
    reached = {}
    for target in TARGETS:
        times = [seconds for seconds, roc_auc in epochs if roc_auc >= target]
        if times:
            reached[target_key(target)] = min(times)
    return reached
