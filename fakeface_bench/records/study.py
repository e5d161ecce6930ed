"""What a study found: its trials, fits, scores and what they came from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean, stdev
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import FAKE, FROZEN, UNTOUCHED, TrialConfig
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import Ledger, SearchCourse


@dataclass(frozen=True, slots=True)
class ShortcutFloor:
    """What a small classifier scores that sees a file's metadata and not one pixel.

    Attributes:
        low_95: Lower end of its 95 % interval, over folds (Nadeau & Bengio 2003).
        high_95: Upper end.
        images: Number of pictures it was measured on, copies counted once.
        alone: Cross-validated ROC AUC of each group of facts alone: `file size`, `dimensions`,
            `mode and format`, `JPEG quantisation`, `EXIF and ICC`; at least 0.5, for a fact that
            tells nothing scores below that in cross-validation.
        one_fact_high: Highest upper end of the 95 % intervals of the ROC AUC of each fact that is a
            number, in either direction and with no classifier: what a classifier of few images
            learns is less than what a fact gives away.
    """

    roc_auc: float
    low_95: float
    high_95: float
    images: int
    alone: Mapping[str, float]
    one_fact_high: float = 0.5

    @property
    def estimate(self) -> Estimate:
        """ROC AUC of all facts together, with its interval."""
        return Estimate(self.roc_auc, self.low_95, self.high_95)


@dataclass(frozen=True, slots=True)
class ResidualShortcut:
    """What residual statistics alone score on a dataset: cross-validated ROC AUC.

    Attributes:
        equalised: The same after every picture was scaled to a square of `canvas` pixels (0: not),
            and has passed one JPEG of `jpeg_quality` (0: none).
        images: Number of pictures it was measured on, copies counted once.
    """

    untouched: Estimate
    equalised: Estimate
    jpeg_quality: int
    images: int
    canvas: int = 0


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of one fit.

    Attributes:
        epoch: Counted from 0; the `step` of its MLflow metrics.
        train_loss: Mean over the epoch's batches, while the weights move.
        train_accuracy: Share of the epoch's images on the right side of probability 0.5.
        val_loss: Of the whole validation split after the epoch.
        val_accuracy: Share of the validation split on the right side of probability 0.5.
        seconds: Training time, without validation.
        val_seconds: Of validation. A trial of several folds has the means over them, and the
            seconds of all together.
        stage: What was trained: `head` on cached features, `fine_tune` (unfrozen layers and head),
            `logistic_regression` (ten iterations of its solver), or `scratch` (everything).
        batch_size: Images per training step; smaller than asked for where memory did not
            suffice. 0 in records that do not tell.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    val_roc_auc: float
    seconds: float
    val_seconds: float
    stage: str = "head"
    batch_size: int = 0

    def as_metrics(self) -> dict[str, float]:
        """Return the epoch under its MLflow names."""
        return {
            "train/loss": self.train_loss,
            "train/accuracy": self.train_accuracy,
            "val/loss": self.val_loss,
            "val/accuracy": self.val_accuracy,
            "val/roc_auc": self.val_roc_auc,
            "cost/epoch_seconds": self.seconds,
            "cost/epoch_val_seconds": self.val_seconds,
            "train/batch_size": float(self.batch_size),
        }


@dataclass(frozen=True, slots=True)
class FitRecord:
    """One fit: its epochs, and the one whose weights were kept.

    Attributes:
        best_epoch: Of the last stage, the one with the highest validation objective.
    """

    epochs: tuple[EpochRecord, ...]
    best_epoch: int

    @property
    def best(self) -> EpochRecord:
        """The epoch whose weights the model ended with."""
        return self.epochs[self.best_epoch]

    @property
    def last_stage(self) -> tuple[EpochRecord, ...]:
        """The epochs of the last stage, the one that costs."""
        return last_stage(self.epochs)


def last_stage(epochs: Sequence[EpochRecord]) -> tuple[EpochRecord, ...]:
    """Return those of some epochs that trained what the last of them did."""
    return tuple(epoch for epoch in epochs if epoch.stage == epochs[-1].stage)


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial as the study's storage holds it.

    Attributes:
        uid: Unlike any other trial's, in this study and every other.
        state: `complete`, `pruned` or `failed`.
        value: Best validation ROC AUC; for a pruned trial the one it was stopped at.
        finished_at: Unix time of its end, in seconds.
        reason: Why it failed; empty otherwise.
        folds: How many fits its epochs are the mean over.
        position: Which draw of the search it is, from 0: its number, unless several are drawn
            together and one was repeated.
    """

    uid: str
    number: int
    state: str
    config: TrialConfig
    value: float | None
    epochs: tuple[EpochRecord, ...]
    seconds: float
    finished_at: float
    reason: str = ""
    folds: int = 1
    position: int = 0


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """All trials of a study, and which options mattered.

    Attributes:
        trials: In the order in which they were drawn.
        best: The complete trial with the highest validation ROC AUC.
        importances: Share of the variation in validation ROC AUC per option, adding up to 1;
            empty where too few trials tell.
        stopped: Whether somebody who watched it stopped it before its number of trials.
    """

    trials: tuple[TrialRecord, ...]
    best: TrialRecord
    importances: Mapping[str, float]
    stopped: bool = False

    def complete(self, config: TrialConfig) -> TrialRecord | None:
        """Return the earliest complete trial of some options; None where there is none."""
        found = (t for t in self.trials if t.state == "complete" and t.config == config)
        return next(found, None)

    @property
    def seconds(self) -> float:
        """Spent on all trials, whoever ran them."""
        return sum(trial.seconds for trial in self.trials)


def best_so_far(trials: Iterable[TrialRecord]) -> Iterator[TrialRecord]:
    """Yield the complete trials that were better than all before them, as they were drawn."""
    best = float("-inf")
    for trial in trials:
        if trial.state == "complete" and (trial.value or 0.0) > best:
            best = trial.value or 0.0
            yield trial


FloatArray = npt.NDArray[np.float64]
LabelArray = npt.NDArray[np.uint8]

#: Bins of equal width of the probability, in which calibration is judged.
ECE_BINS = 15
#: Begins the names of test metrics without the images that have a twin in training.
WITHOUT_TWINS = "test_without_twins"
#: Columns of images that make parts of fakes; the column's name and a slash begin such a part's
#: name, and no source's name holds a slash.
FAKE_PARTS = ("generator", "tier")
#: Attributes of `ScoredSplit` that describe its images, by the column of an index.
IMAGE_COLUMNS: Mapping[str, str] = {
    "source": "sources",
    "path": "paths",
    "digest": "digests",
    "category": "categories",
    "generator": "generators",
    "released": "released",
    "tier": "tiers",
}


@dataclass(frozen=True, slots=True)
class UnsureBand:
    """Scores at which a detector is unsure: from `low` on, and below `high`.

    Empty where both are the threshold; `high` above 1 where no score is sure to be fake.
    """

    low: float
    high: float

    def as_metrics(self) -> dict[str, float]:
        """Return its ends under their MLflow names."""
        return {"unsure/low": self.low, "unsure/high": self.high}

    def holds(self, y_score: FloatArray) -> npt.NDArray[np.bool_]:
        """Return which scores lie in it."""
        return np.asarray((y_score >= self.low) & (y_score < self.high))


@dataclass(frozen=True, slots=True)
class ScoredSplit:
    """One split as the finished model sees it.

    Attributes:
        y_true: 1 for fake, shape (n,).
        y_score: Probability of fake, within 0 and 1, shape (n,).
        paths: Of the images, relative to their source's folder, length n.
        sources: Name of the dataset that each image comes from, length n.
        tiers: Tier that each image's name states, else empty, length n.
        threshold: Score from which an image is predicted fake.
        metrics: Rows of `METRICS` by key.
        parts: Figures of one source (its name), generator (`generator/` and its name) or tier
            (likewise) alone, by key; empty where there are none, or one alone.
        seconds: Spent on predicting, from what was read of the pictures; 0 where not measured.
        categories: Generator, source or what each image shows, length n; none where not known.
        generators: Of each fake, else empty, length n; none where not known.
        released: When that was, likewise.
        unsure: Scores at which the model is unsure, chosen on validation; None where it never is.
        digests: SHA-256 of each image's contents, length n; none where not known.
        has_twin: Whether training holds a twin of an image, length n; none where not known.
    """

    y_true: LabelArray
    y_score: FloatArray
    paths: tuple[str, ...]
    sources: tuple[str, ...]
    tiers: tuple[str, ...]
    threshold: float
    metrics: Mapping[str, float]
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    categories: tuple[str, ...] = ()
    unsure: UnsureBand | None = None
    generators: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    has_twin: tuple[bool, ...] = ()

    @property
    def described(self) -> Mapping[str, Sequence[str]]:
        """What is known of each image, by the columns of an index; what is not is empty."""
        nothing = ("",) * len(self.y_true)
        return {key: getattr(self, name) or nothing for key, name in IMAGE_COLUMNS.items()}

    def is_unsure(self, position: int) -> bool:
        """Whether the model is unsure of an image."""
        return bool(self.unsure and self.unsure.holds(self.y_score[position]))


class Columns(Protocol):
    """Rows of an index, or what a split tells of its images."""

    def __getitem__(self, key: str, /) -> Any:
        """Return a column."""


def described_images(rows: Columns) -> dict[str, Any]:
    """Return those attributes of `ScoredSplit` that rows of an index state."""
    return {name: tuple(rows[column]) for column, name in IMAGE_COLUMNS.items()}


def is_of_fakes(part: str) -> bool:
    """Whether a part, by its name, is a generator or tier: fakes, held against all real images."""
    return part.partition("/")[0] in FAKE_PARTS and "/" in part


def part_members(y_true: LabelArray, rows: Columns) -> dict[str, npt.NDArray[np.bool_]]:
    """Return which of n images are in each part, the parts named as in MLflow's metrics.

    Parts are the sources and the generators, where there are several, and the tiers of fakes.

    Args:
        rows: Columns `source`, `generator` and `tier`, length n.
    """
    source = np.array(list(rows["source"]), dtype=object)
    names = sorted(set(source)) if len(set(source)) > 1 else []
    found = {name: source == name for name in names}
    for column in FAKE_PARTS:
        values = np.where(y_true == FAKE, np.array(list(rows[column]), dtype=object), "")
        parts = sorted(set(values) - {""})
        whole = column == "generator" and len(set(values[y_true == FAKE])) == 1
        found |= {f"{column}/{name}": values == name for name in parts if not whole}
    return found


@dataclass(frozen=True, slots=True)
class ModelOrigin:
    """What a study knows of its model besides its results.

    Attributes:
        digest: Of the dataset: SHA-256 over contents and labels.
        test_digest: Likewise of its test split.
        kinds: How the fakes of each source were made, by its name; absent where not known.
        generators: Fakes of train and valid by their generator; absent where not known.
        fit: How a picture meets it, one of `config.FITS`.
        calibrated: Whether probabilities went through a map; else they are the network's own.
        versions: Of Python and the libraries, by name.
    """

    run_id: str
    digest: str
    test_digest: str
    kinds: Mapping[str, str]
    generators: Mapping[str, int]
    image_size_px: int
    fit: str
    calibrated: bool
    command: str
    versions: Mapping[str, str]


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
    """A study, or its last fit alone, once more with another seed.

    Attributes:
        seed: Of initial weights, dropout, augmentation and the order of batches; of the search
            too, where there was one.
        test: Test split, with calibration and threshold of this fit.
        epochs: Of this fit.
        search: Whose winner it is; None where the kept model's options were fitted again.
        fit_seconds: Of this fit, until its threshold was chosen; 0 where not measured.
    """

    seed: int
    test: ScoredSplit
    epochs: int
    search: SearchRecord | None = None
    fit_seconds: float = 0.0


#: What a search is held against: see `study.final_fit`.
SIMPLE_BASELINE = "logistic regression on the same features"
FIRST_TRIAL = "the first trial"


@dataclass(frozen=True, slots=True)
class BaselineRecord:
    """What a search is held against, with options as they come.

    Attributes:
        title: One of the two above.
        valid: Validation split, on which its threshold was chosen.
        test: Test split.
    """

    title: str
    valid: ScoredSplit
    test: ScoredSplit

    def metrics(self) -> dict[str, float]:
        """Return its test metrics, and its validation ROC AUC, under their MLflow names."""
        of_test = {f"baseline/{key}": value for key, value in self.test.metrics.items()}
        return of_test | {"baseline/val_roc_auc": self.valid.metrics["roc_auc"]}


@dataclass(frozen=True, slots=True)
class StudyScores:
    """What all metrics of a study are computed from.

    Attributes:
        valid: Validation split, on which the threshold was chosen.
        test: Test split, by the model that was kept.
        further: The same by the models of further seeds.
        baseline: None in records that do not tell.
    """

    valid: ScoredSplit
    test: ScoredSplit
    further: tuple[ScoredSplit, ...] = ()
    baseline: BaselineRecord | None = None

    def metrics(self) -> dict[str, float]:
        """Return every metric that follows from the scores, under its MLflow name."""
        metrics: dict[str, float] = {}
        for split, scored in (("val", self.valid), ("test", self.test)):
            metrics |= {f"{split}/{key}": value for key, value in scored.metrics.items()}
            metrics[f"{split}/threshold"] = scored.threshold
            for part, of_part in scored.parts.items():
                metrics |= {f"{split}/{part}/{key}": value for key, value in of_part.items()}
        baseline = self.baseline.metrics() if self.baseline else {}
        return metrics | self.over_seeds() | baseline

    def over_seeds(self) -> dict[str, float]:
        """Return mean and sample standard deviation of each test metric over several seeds."""
        fits = [self.test, *self.further]
        if len(fits) == 1:
            return {}
        metrics: dict[str, float] = {}
        for key in self.test.metrics:
            values = [scored.metrics[key] for scored in fits]
            metrics |= {f"test/{key}_mean": mean(values), f"test/{key}_std": stdev(values)}
        return metrics


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """Everything a finished study reports; `report` and `tracking` read nothing else.

    Attributes:
        data_folders: Absolute folder of each source, which its images' paths are relative to.
        valid: Validation split, on which the threshold was chosen.
        epochs_began_seconds: As in `ComparedStudy`.
        floor: What the dataset's metadata alone would score, where that could be measured.
        source_floors: The same of each of several sources, by its name.
        facts: Further metrics, by MLflow metric name.
        fine_tune: Which layers under the head were trained: `frozen` for none, else `last_block`,
            `last_2_blocks` and so on, `all`, or a number of last layers.
        equalise: What every picture passed first, as `StudyConfig.equalised`.
        baseline: None in records that do not tell.
        folds: Parts of train and validation that were held out in turn; 0 where validation was.
            `valid` then holds the rows of both, each scored by the fit that left it out.
        split_digests: SHA-256 over contents and labels of each split, by its name.
        choices: Test ROC AUC of the trials that were the best so far, by position, of each seed's
            search; empty where it was not asked for.
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
    baseline: BaselineRecord | None = None
    folds: int = 0
    split_digests: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[int, Mapping[int, float]] = field(default_factory=dict)

    @property
    def config(self) -> TrialConfig:
        """The winning options."""
        return self.search.best.config

    @property
    def repeats_study(self) -> bool:
        """Whether the search was repeated, not the last fit alone."""
        return len(self.searches) > 1

    @property
    def searches(self) -> tuple[SearchRecord, ...]:
        """The search of every seed, that of the kept model first."""
        return (self.search, *(repeat.search for repeat in self.repeats if repeat.search))

    @property
    def trained(self) -> str:
        """Which layers were trained, in words; empty where the head alone was."""
        if self.fine_tune == FROZEN:
            return ""
        if self.fine_tune == "all":
            from_scratch = self.weights.label == "random"
            return FROM_SCRATCH if from_scratch else "all layers trained"
        if self.fine_tune == "norms":
            return "normalisation trained"
        words = self.fine_tune.replace("_", " ")
        return f"last {words} layers trained" if words.isdecimal() else f"{words} trained"

    @property
    def scores(self) -> StudyScores:
        """What its metrics are computed from."""
        further = tuple(repeat.test for repeat in self.repeats)
        return StudyScores(self.valid, self.test, further, self.baseline)

    def metrics(self) -> dict[str, float]:
        """Return every metric of the study under its MLflow name."""
        return self.scores.metrics() | dict(self.facts)


@dataclass(frozen=True, slots=True)
class SeedScores:
    """The test scores of the winning options, fitted with one seed.

    Attributes:
        y_score: Probability of fake, shape (n,).
        threshold: From which an image is predicted fake, chosen on validation.
    """

    seed: int
    y_score: FloatArray
    threshold: float

    @property
    def predicted_fake(self) -> npt.NDArray[np.bool_]:
        """Which images are predicted fake, shape (n,)."""
        return self.y_score >= self.threshold


@dataclass(frozen=True, slots=True)
class StudyIdentity:
    """What tells one compared study from another.

    Attributes:
        fine_tune: As in `StudyRecord`.
        weights: Label of the weights that it started from.
        trained: Which layers were trained, in words; empty where the head alone was.
        equalise: As in `StudyRecord`.
    """

    run_id: str
    model: str
    fine_tune: str
    weights: str
    trained: str
    study: str
    data: str
    equalise: str = UNTOUCHED

    @property
    def label(self) -> str:
        """Name in tables and pictures: the model, the layers trained, what pictures pass first."""
        tuned = self.fine_tune != FROZEN and self.trained != FROM_SCRATCH
        apart = [self.fine_tune] * tuned + [self.equalise] * (self.equalise != UNTOUCHED)
        return f"{self.model} ({', '.join(apart)})" if apart else self.model


#: With fewer a comparison says nothing of networks.
SEEDS_OF_A_NETWORK = 3
#: Options of which no network depends: where chance begins, and how often it was tried.
_OF_CHANCE = ("seed", "seeds", "refits")


@dataclass(frozen=True, slots=True)
class ComparedStudy:
    """One finished study.

    Attributes:
        warning: What a reader must know of its weights; empty when nothing.
        y_true: Test labels, 1 for fake, shape (n,); the same of all studies compared.
        paths: Of the test images, relative to their source's folder, length n.
        sources: Name of the dataset that each image comes from, length n.
        data_folders: Absolute folder of each source, on the machine that ran the study.
        seeds: At least one; the first is the model that was kept.
        repeats_study: Whether each seed had a search of its own; else the last fit alone was
            repeated, where there are several.
        trial_seconds: What each trial took, of every seed's search; empty where not known.
        refit_seconds: What the last fit took with each seed after the first.
        epochs_began_seconds: Cold seconds that were needed before its first epoch: to prepare the
            data and to extract train and validation.
        machine: What it ran on, in words; empty where that is not known.
        trials: Number of trials that its search holds.
        settings: How it was asked, in words, by each of `NAMED_OPTIONS`, and `image_size_px`; empty
            where that is not known.
        baseline_roc_auc: Of logistic regression on the same frozen features, or of the first trial
            where layers under the head are trained; None where it was not measured.
        search_gain: ROC AUC of the kept model less that, paired.
        digests: SHA-256 of each test image, or its first digits, length n; none of older studies.
        courses: Of the search of each seed, the kept model's first; none of older studies.
    """

    identity: StudyIdentity
    warning: str
    y_true: LabelArray
    paths: tuple[str, ...]
    sources: tuple[str, ...]
    data_folders: Mapping[str, str]
    seeds: tuple[SeedScores, ...]
    epochs: tuple[EpochRecord, ...]
    epochs_began_seconds: float
    ledger: Ledger
    machine: str = ""
    trials: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    baseline_roc_auc: float | None = None
    search_gain: Estimate | None = None
    repeats_study: bool = False
    trial_seconds: tuple[float, ...] = ()
    refit_seconds: tuple[float, ...] = ()
    digests: tuple[str, ...] = ()
    courses: tuple[SearchCourse, ...] = ()

    @property
    def label(self) -> str:
        """Name in tables and pictures."""
        return self.identity.label

    @property
    def tells_of_network(self) -> bool:
        """Whether it was repeated often enough to say what the network does, not just its fits."""
        return self.repeats_study and len(self.seeds) >= SEEDS_OF_A_NETWORK

    def is_same_network(self, other: "ComparedStudy") -> bool:
        """Whether chance alone sets the two studies apart, as far as is known."""
        mine, others = (
            {key: value for key, value in study.settings.items() if key not in _OF_CHANCE}
            for study in (self, other)
        )
        named = {"run_id": "", "study": ""}
        same = replace(self.identity, **named) == replace(other.identity, **named)
        return same and bool(mine) and mine == others

    @property
    def kept(self) -> SeedScores:
        """The scores of the model that was kept."""
        return self.seeds[0]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which test images the kept model predicted correctly, shape (n,)."""
        return np.asarray(self.kept.predicted_fake == (self.y_true == 1))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A study that a comparison left out.

    Attributes:
        name: What it is called: model, layers trained, weights.
        run_id: Of its MLflow run; empty where it never had one.
    """

    name: str
    run_id: str
    reason: str
