"""How finished models do elsewhere: on other datasets, and on pictures made worse."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import LeftOut, ResidualShortcut, ScoredSplit, ShortcutFloor


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A finished model, and what is known of its training.

    Attributes:
        label: Name in tables and pictures: the architecture, and the layers trained if any.
        address: As it was asked for: in the registry, a run, a folder.
        run_id: Of its study; empty where it is not known.
        data: Name of the dataset it was trained on.
        kinds: How the fakes of each training source were made, by its name; empty text where that
            is not known.
        generators: Fakes of its training and validation by generator; empty where not known.
        threshold: Score from which it calls an image fake, chosen on its own validation.
        images_seen: Number of training and validation images, which no test may hold; None where
            it is not known which they are.
        external: Whether it is a detector of others, tested as it is.
        cold_seconds: What its study took from a cold start; None where it was not asked.
        equalised: Whether every picture passes something first: one size, or a JPEG.
    """

    label: str
    address: str
    run_id: str
    data: str
    kinds: Mapping[str, str]
    threshold: float
    images_seen: int | None
    external: bool = False
    generators: Mapping[str, int] = field(default_factory=dict)
    cold_seconds: float | None = None
    equalised: bool = False


@dataclass(frozen=True, slots=True)
class Overlap:
    """Images of a test set that are left out because the model saw them, or copies of them.

    Attributes:
        identical: The same bytes.
        similar: Other bytes of a picture that looks the same: re-encoded, scaled, mirrored, or a
            twin, which a generator drew again. Without the files of training none knows which.
        similar_shares: The same as a share of the images of each class, by its name.
        related: Fakes that manipulate a picture seen in training, or are twins of one.
    """

    identical: int = 0
    similar: int = 0
    similar_shares: Mapping[str, float] = field(default_factory=dict)
    related: int = 0

    @property
    def images(self) -> int:
        """All of them."""
        return self.identical + self.similar + self.related


@dataclass(frozen=True, slots=True)
class SetScores:
    """One finished model on one test set; a cell of a matrix.

    Attributes:
        chosen: Which of its images, in words: `its test split`, `all images`.
        is_own: Whether the images are the test split of the model's own study, by their contents.
        kinds: How the fakes of each source of the set were made; empty text where not known.
        scored: Labels and scores at the model's own threshold; its `metrics` hold what is defined
            where only one class is there.
        figures: By key of `METRICS`, and `false_alarm_rate`: the share of real images called
            fake. Where the set holds one class only: `recall_fake` or `false_alarm_rate` alone.
        parts: The same of each source (where there are several) and tier (`tier/` and its name:
            its fakes against all real images of the set).
        floor: What the set's metadata alone would score; None where that was not measurable.
        source_floors: The same of each of several sources, by its name.
        residual: What residual statistics alone tell of its classes, where that was asked.
        is_part: Whether they are a part of that split: of one of several sources, or fewer.
        seconds: From the files to the scores; None where features came from a cache.
    """

    model: TrainedModel
    data: str
    chosen: str
    is_own: bool
    kinds: Mapping[str, str]
    scored: ScoredSplit
    estimates: Mapping[str, Estimate]
    parts: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    overlap: Overlap = Overlap()
    floor: ShortcutFloor | None = None
    source_floors: Mapping[str, ShortcutFloor] = field(default_factory=dict)
    is_part: bool = False
    seconds: float | None = None
    residual: ResidualShortcut | None = None

    @property
    def seconds_per_1000(self) -> float | None:
        """Seconds that 1,000 predictions take from their files, where it was measured."""
        return (
            None
            if self.seconds is None
            else 1000 * self.seconds / (self.images + self.overlap.images)
        )

    @property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of each scored image, in the order of `scored`; pairs models."""
        return self.scored.digests

    @property
    def images(self) -> int:
        """Number of images that were scored."""
        return len(self.scored.y_true)

    @property
    def released(self) -> str:
        """When the newest of its generators was; empty where that is not known."""
        return max(self.scored.released, default="")

    @property
    def classes(self) -> frozenset[int]:
        """The labels that are there; 1 for fake."""
        return frozenset(int(label) for label in np.unique(self.scored.y_true))

    @property
    def predicted_fake(self) -> npt.NDArray[np.bool_]:
        """Which images are predicted fake, shape (n,)."""
        return np.asarray(self.scored.y_score >= self.scored.threshold)


@dataclass(frozen=True, slots=True)
class MixtureEffect:
    """What training on several datasets at once changed, against training on one of them.

    Attributes:
        mixture: Name of the joined dataset, such as `a+b`.
        alone: Name of the one that it is compared with.
        images: Test images that both were scored on, the same for both.
        roc_auc: Of the mixture less that of the one alone, paired.
        recall_fake: The same of the recall of fakes, at each model's own threshold.
        accuracy: The same of the accuracy, at each model's own threshold.
    """

    model: str
    mixture: str
    alone: str
    data: str
    images: int
    roc_auc: Estimate
    recall_fake: Estimate
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class HoldOut:
    """A source, tier or generator left out of training, and how the model does on it.

    Attributes:
        column: `source`, `tier` or `generator`.
        value: Which of them was left out.
        without: Trained without it, scored on it: its fakes of the test split (of a generator those
            of every split) against its real images of it (a source) or all real ones.
        seen: The model trained on everything, scored on the same images, or those of a generator
            that are in the test split; None where there are none.
    """

    model: str
    data: str
    column: str
    value: str
    without: SetScores
    seen: SetScores | None


@dataclass(frozen=True, slots=True)
class TimeStep:
    """A model trained on all generators up to a date, on those of a later date.

    Attributes:
        until: The date, as `released` writes it.
        released: When the generators that it is tested on were released.
        generators: Their names.
        cell: Its scores on their fakes and the held-out real images.
    """

    model: str
    data: str
    until: str
    released: str
    generators: tuple[str, ...]
    cell: SetScores


@dataclass(frozen=True, slots=True)
class EqualisedCell:
    """A model of equalised pictures beside the same of pictures as they are, on the same images.

    Attributes:
        images: That both were scored on.
        delta_auc: ROC AUC of the untouched model less that of the equalised one, paired: what it
            read from what equalising wipes out.
    """

    untouched: SetScores
    equalised: SetScores
    images: int
    delta_auc: Estimate


@dataclass(frozen=True, slots=True)
class Generalisation:
    """A matrix: rows trained on, columns tested on, for each of one or several architectures.

    Where pictures are equalised, `models` and all cells hold each network twice: as they are, and
    equalised.

    Attributes:
        models: Labels of the architectures, in the order asked for.
        trained: Names of the training sets, in the order asked for.
        tested: Names of the test sets, in the order asked for.
        left_out: Studies that failed, each with its reason.
        unscored: Cells of finished studies that could not be scored, each with its reason.
    """

    models: tuple[str, ...]
    trained: tuple[str, ...]
    tested: tuple[str, ...]
    cells: tuple[SetScores, ...]
    mixtures: tuple[MixtureEffect, ...] = ()
    hold_outs: tuple[HoldOut, ...] = ()
    time_steps: tuple[TimeStep, ...] = ()
    equalised: tuple[EqualisedCell, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unscored: tuple[LeftOut, ...] = ()

    def cell(self, model: str, trained: str, tested: str) -> SetScores | None:
        """Return one cell; None where its study failed, or it could not be scored."""
        for cell in self.cells:
            if (cell.model.label, cell.model.data, cell.data) == (model, trained, tested):
                return cell
        return None


@dataclass(frozen=True, slots=True)
class EqualisationEffect:
    """A study of equalised pictures against the same study of untouched ones.

    Attributes:
        canvas: Side in pixels that every picture was scaled to; 0 for none.
        jpeg_quality: Of the JPEG that every picture passed; 0 for none.
        untouched_auc: Test ROC AUC of the untouched study.
        delta_auc: The first less the second, paired.
        outlasting: Files of the dataset that were compressed more strongly, whose traces remain.
    """

    canvas: int
    jpeg_quality: int
    images: int
    untouched_auc: float
    equalised_auc: float
    delta_auc: Estimate
    untouched_run: str
    outlasting: int = 0

    def metrics(self) -> dict[str, float]:
        """Return the metrics under their MLflow names."""
        return {
            "bias/delta_auc": self.delta_auc.value,
            "bias/delta_auc_low": self.delta_auc.low,
            "bias/delta_auc_high": self.delta_auc.high,
            "bias/untouched_auc": self.untouched_auc,
        }

    @property
    def description(self) -> str:
        """In a sentence, by the interval: what is shown, and what is not."""
        delta = self.delta_auc
        scaled = [f"scaling to {self.canvas} px"] * bool(self.canvas)
        encoded = [f"one JPEG of quality {self.jpeg_quality}"] * bool(self.jpeg_quality)
        estimates = (
            f"test ROC AUC {self.untouched_auc:.3f} untouched, {self.equalised_auc:.3f} after "
            f"{' and '.join(scaled + encoded)} for all, a difference of {delta.value:.3f} (95 % "
            f"{delta.low:.3f} to {delta.high:.3f}; n = {self.images:,})"
        )
        history = " and ".join(["scaling"] * bool(scaled) + ["compression"] * bool(encoded))
        if delta.low > 0:
            begin = f"That much was read from what this wipes out, {history} history or fine detail"
        elif delta.high < 0:
            begin = f"It does better equalised, so it read no {history} history"
        else:
            begin = f"Not shown to read {history} history"
        remain = f" Of {self.outlasting:,} files, compressed more strongly, traces remain."
        return f"{begin}: {estimates}.{remain * bool(self.outlasting)}"


#: ROC AUC of a detector that cannot tell the classes.
CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One severity of one corruption.

    Attributes:
        step: Place on the axis, 0 for the untouched pictures; what is further away is worse.
        accuracy: Likewise, at the model's own threshold.
    """

    label: str
    description: str
    step: int
    roc_auc: Estimate
    accuracy: Estimate

    @property
    def is_at_chance(self) -> bool:
        """Whether the model is not shown to beat chance: the interval reaches down to it."""
        return self.roc_auc.low <= CHANCE


@dataclass(frozen=True, slots=True)
class SeverityCurve:
    """One model under every severity of one corruption.

    Attributes:
        axis: What its severities are, with their unit.
        points: In the axis's order, the untouched pictures among them (step 0).
        roc_auc: Mean over the severities, the untouched pictures not counted.
        cost: By how much that lies below the untouched pictures' ROC AUC, paired.
    """

    key: str
    title: str
    axis: str
    points: tuple[CurvePoint, ...]
    roc_auc: Estimate
    cost: Estimate

    @property
    def corrupted(self) -> tuple[CurvePoint, ...]:
        """The points without that of the untouched pictures."""
        return tuple(point for point in self.points if point.step)


@dataclass(frozen=True, slots=True)
class ModelRobustness:
    """One model under all corruptions.

    Attributes:
        overlap: Images of the test set that are left out because this model saw them.
        accuracy: On the untouched pictures, at the model's own threshold.
        curves: One a corruption, in the table's order.
        mean_roc_auc: Mean over the corruptions of each one's mean over its severities.
        behind: By how much that lies below the best model's, paired; None for the best.
    """

    model: TrainedModel
    overlap: Overlap
    roc_auc: Estimate
    accuracy: Estimate
    curves: tuple[SeverityCurve, ...]
    mean_roc_auc: Estimate
    behind: Estimate | None = None

    @property
    def costliest(self) -> SeverityCurve:
        """The corruption under which ROC AUC falls most."""
        return max(self.curves, key=lambda curve: curve.cost.value)

    @property
    def points(self) -> tuple[CurvePoint, ...]:
        """Every corrupted point, in the table's order."""
        return tuple(point for curve in self.curves for point in curve.corrupted)


@dataclass(frozen=True, slots=True)
class Robustness:
    """Models under all corruptions, every one on the same images.

    Attributes:
        chosen: Which of its images, in words: `its test split`, `all images`.
        digest: SHA-256 over contents and labels of the scored images.
        real: Number of real images that were scored.
        models: In the order asked for.
    """

    data: str
    chosen: str
    digest: str
    real: int
    fake: int
    seed: int
    models: tuple[ModelRobustness, ...]

    @property
    def images(self) -> int:
        """Number of images that were scored."""
        return self.real + self.fake

    @property
    def best(self) -> ModelRobustness:
        """The model with the highest mean; the first of those alike."""
        return max(self.models, key=lambda model: model.mean_roc_auc.value)

    @property
    def larger_class(self) -> float:
        """Accuracy of calling every image by the more frequent class."""
        return max(self.real, self.fake) / self.images
