"""Everything that a finished study reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean, stdev

from fakeface_bench.config import FROZEN, UNTOUCHED, TrialConfig
from fakeface_bench.records.fits import FitRecord
from fakeface_bench.records.scores import ScoredSplit
from fakeface_bench.records.search import SearchRecord
from fakeface_bench.records.shortcut import ShortcutFloor

#: How a network was trained whose layers had nothing to start from.
FROM_SCRATCH = "trained from scratch"


@dataclass(frozen=True, slots=True)
class WeightsRecord:
    """Which values a backbone started from.

    Attributes:
        label: `imagenet`, `random`, or `file:` and the first 12 digits of the file's SHA-256.
        warning: What a reader of the results must know of them; empty when nothing.
    """

    label: str
    warning: str = ""


@dataclass(frozen=True, slots=True)
class RepeatRecord:
    """The winner fitted once more, with another seed.

    Attributes:
        seed: Of initial weights, dropout, augmentation and the order of batches.
        test: Test split, with calibration and threshold of this fit.
        epochs: Epochs run.
    """

    seed: int
    test: ScoredSplit
    epochs: int


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """Everything a finished study reports; `report` and `tracking` read nothing else.

    Attributes:
        model: Key of the architecture.
        study: Name of the study.
        data: Name of the dataset.
        data_folders: Absolute folder of each source, which its images' paths are relative to.
        weights: What the backbone started from.
        search: All trials.
        final_fit: The refitted winner.
        valid: Validation split, on which the threshold was chosen.
        test: Test split, scored once.
        epochs_began_seconds: As in `ComparedStudy`.
        seed: Of the final fit.
        repeats: The winner with further seeds.
        machine: What it ran on, in words.
        floor: What the dataset's metadata alone would score, where that could be measured.
        source_floors: The same of each of several sources, by its name.
        facts: Further single figures, by MLflow metric name.
        fine_tune: Which layers under the head were trained: `frozen` for none, else `last_block`,
            `last_2_blocks` and so on, `all`, or a number of last layers.
        equalise: As in `StudyConfig`.
    """

    model: str
    study: str
    data: str
    data_folders: Mapping[str, str]
    weights: WeightsRecord
    search: SearchRecord
    final_fit: FitRecord
    valid: ScoredSplit
    test: ScoredSplit
    epochs_began_seconds: float = 0.0
    seed: int = 0
    repeats: tuple[RepeatRecord, ...] = ()
    machine: str = ""
    floor: ShortcutFloor | None = None
    source_floors: Mapping[str, ShortcutFloor] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    fine_tune: str = FROZEN
    equalise: str = UNTOUCHED

    @property
    def config(self) -> TrialConfig:
        """The winning options."""
        return self.search.best.config

    @property
    def trained(self) -> str:
        """Which layers were trained, in words; empty where the head alone was."""
        if self.fine_tune == FROZEN:
            return ""
        if self.fine_tune == "all":
            from_scratch = self.weights.label == "random"
            return FROM_SCRATCH if from_scratch else "all layers trained"
        words = self.fine_tune.replace("_", " ")
        return f"last {words} layers trained" if words.isdecimal() else f"{words} trained"

    def metrics(self) -> dict[str, float]:
        """Return every single figure of the study under its MLflow name."""
        figures: dict[str, float] = {}
        for split, scored in (("val", self.valid), ("test", self.test)):
            figures |= {f"{split}/{key}": value for key, value in scored.metrics.items()}
            figures[f"{split}/threshold"] = scored.threshold
            for part, of_part in scored.parts.items():
                figures |= {f"{split}/{part}/{key}": value for key, value in of_part.items()}
        return figures | self.over_seeds() | dict(self.facts)

    def over_seeds(self) -> dict[str, float]:
        """Return mean and sample standard deviation of each test metric over several seeds."""
        fits = [self.test, *(repeat.test for repeat in self.repeats)]
        if len(fits) == 1:
            return {}
        figures: dict[str, float] = {}
        for key in self.test.metrics:
            values = [scored.metrics[key] for scored in fits]
            figures |= {f"test/{key}_mean": mean(values), f"test/{key}_std": stdev(values)}
        return figures
