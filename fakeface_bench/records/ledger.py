"""What a study cost: every second of it in one stage, spent now or charged from an earlier run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: Stages of a study in their order; what belongs to none is `overhead`, so that they add up.
STAGES = (
    "startup",
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
#: Share of the processors that others may take before a machine is said to have been shared.
SHARED = 0.1


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one stage took.

    Attributes:
        stage: One of `STAGES`.
        spent_seconds: In the process that wrote the ledger.
        amortised_seconds: By earlier processes, whose result this one found: charged all the same.
        images: Passages of a picture through this stage: each epoch counts its pictures again.
        elsewhere_seconds: Of a cluster's workers, or other processes of the study, beyond what
            passed meanwhile on the wall clock.
    """

    stage: str
    spent_seconds: float
    amortised_seconds: float = 0.0
    images: int = 0
    elsewhere_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """All that the stage is charged, of one machine or of several."""
        return self.spent_seconds + self.amortised_seconds + self.elsewhere_seconds


@dataclass(frozen=True, slots=True)
class Improvement:
    """A moment at which a search found something better than before.

    Attributes:
        seconds: From the begin of preparation, cold: the trials one after another as they were
            drawn, whatever ran them side by side.
        val_roc_auc: The best so far, from then on.
        position: Of the trial that reached it.
    """

    seconds: float
    val_roc_auc: float
    position: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A trial that would have been taken, had the search ended with it.

    Attributes:
        seconds: As in `Improvement`, at the end of the trial.
        position: Of the trial.
        test_roc_auc: Of the fit of its options, scored after the study's own end; nothing was
            chosen by it.
    """

    seconds: float
    position: int
    test_roc_auc: float


@dataclass(frozen=True, slots=True)
class SearchCourse:
    """How the best of one seed's search came with its seconds.

    Attributes:
        seconds: At its end.
        choices: In order of time; none where they were not scored.
    """

    seed: int
    seconds: float
    improvements: tuple[Improvement, ...]
    choices: tuple[Choice, ...] = ()

    def reaches(self, target: float) -> Improvement | None:
        """Return the first moment at which it is as good as a target; None where it never is."""
        found = (one for one in self.improvements if one.val_roc_auc >= target)
        return next(found, None)

    def best_at(self, seconds: float) -> float | None:
        """Return the best validation ROC AUC at a time; None before there was any."""
        past = [one.val_roc_auc for one in self.improvements if one.seconds <= seconds]
        return past[-1] if past else None

    def choice_at(self, seconds: float) -> Choice | None:
        """Return what would have been taken at a time; None before a trial was complete."""
        past = [one for one in self.choices if one.seconds <= seconds]
        return past[-1] if past else None

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "SearchCourse":
        """Return what `as_json` gave."""
        improvements = tuple(Improvement(**one) for one in content["improvements"])
        choices = tuple(Choice(**one) for one in content["choices"])
        return cls(content["seed"], content["seconds"], improvements, choices)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a study cost.

    Attributes:
        stages: One of each of `STAGES`; what they spent adds up to the process's wall clock.
        other: Other costs by their name under `cost/`: `parameters`, `mmacs_per_image`,
            `first_epoch_seconds`, `peak_memory_gb` and so on.
        targets: Seconds until a validation ROC AUC (`0.75`) was first reached, from the begin of
            preparation: the median over orders of the trials. What was never reached is absent.
        dollars_per_hour: Price of the machine; 0 where none was given.
        unmeasured: Why a cost is not among these, by its name.
        target_quartiles: Of `targets`, the lower and the upper one of the same orders.
    """

    stages: tuple[StageCost, ...]
    other: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    dollars_per_hour: float = 0.0
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    target_quartiles: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def total_cold_seconds(self) -> float:
        """As if nothing had been cached, of all machines; trials that failed are charged too."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def total_warm_seconds(self) -> float:
        """Wall clock of the process, as it ran."""
        return sum(stage.spent_seconds for stage in self.stages)

    @property
    def search_seconds(self) -> float:
        """Charged for all trials."""
        return sum(cost.seconds for cost in self.stages if cost.stage.startswith("search_"))

    def seconds_of_trials(self, trials: int, of: int) -> float:
        """Return what sets networks apart: extraction, so many trials, and the last fit.

        Args:
            trials: As if of so many of those that were run; 0 for all.
            of: How many were run; 0 where that is not known.
        """
        share = trials / of if trials and of else 1.0
        once = self.stage("extraction").seconds + self.stage("final_fit").seconds
        return once + share * self.search_seconds

    def reached(self, target: str) -> tuple[float, float, float] | None:
        """Return lower quartile, median and upper quartile of the seconds to a target, if any.

        All three are the same in ledgers that are older than the quartiles.
        """
        if target not in self.targets:
            return None
        middle = self.targets[target]
        low, high = self.target_quartiles.get(target, (middle, middle))
        return low, middle, high

    @property
    def was_shared(self) -> bool:
        """Whether others took so much of the processors that the wall clock is not its own."""
        return self.other.get("others_share", 0.0) > SHARED

    def stage(self, name: str) -> StageCost:
        """Return the cost of one of `STAGES`; nothing of one that the ledger is older than."""
        found = (cost for cost in self.stages if cost.stage == name)
        return next(found, StageCost(name, 0.0))

    def price(self, seconds: float) -> float:
        """Return what the machine costs for some seconds, in dollars."""
        return seconds / SECONDS_AN_HOUR * self.dollars_per_hour

    def as_metrics(self) -> dict[str, float]:
        """Return the costs under their MLflow names; a stage's seconds are those charged."""
        totals = {"cold": self.total_cold_seconds, "warm": self.total_warm_seconds}
        metrics = {f"cost/{cost.stage}_seconds": cost.seconds for cost in self.stages}
        metrics |= {f"cost/total_{name}_seconds": seconds for name, seconds in totals.items()}
        metrics |= {f"cost/to_roc_auc_{key}_seconds": value for key, value in self.targets.items()}
        for key, quartiles in self.target_quartiles.items():
            ends = zip(("q25", "q75"), quartiles, strict=True)
            metrics |= {f"cost/to_roc_auc_{key}_{end}_seconds": value for end, value in ends}
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
            "stages": [_stage_as_json(cost) for cost in self.stages],
            "figures": dict(self.other),
            "seconds_to_val_roc_auc": {
                target_key(target): self.targets.get(target_key(target)) for target in TARGETS
            },
            "quartiles_of_these": {key: list(ends) for key, ends in self.target_quartiles.items()},
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
        names = ("stage", "spent_seconds", "amortised_seconds", "images", "elsewhere_seconds")
        targets, quartiles = (
            content["seconds_to_val_roc_auc"],
            content.get("quartiles_of_these", {}),
        )
        return cls(
            stages=tuple(
                StageCost(*(row.get(name, 0.0) for name in names)) for row in content["stages"]
            ),
            other=content["figures"],
            targets={key: value for key, value in targets.items() if value is not None},
            target_quartiles={key: tuple(ends) for key, ends in quartiles.items()},
            dollars_per_hour=content["dollars_per_hour"],
            unmeasured=content["unmeasured"],
        )


def _stage_as_json(cost: StageCost) -> dict[str, Any]:
    row = asdict(cost) | {"seconds": cost.seconds, "amortised": cost.amortised_seconds > 0}
    if not cost.elsewhere_seconds:  # as in all ledgers of one machine
        del row["elsewhere_seconds"]
    return row


def target_key(target: float) -> str:
    """Return a target as names hold it: `0.75`, `0.8`."""
    return f"{target:g}"
