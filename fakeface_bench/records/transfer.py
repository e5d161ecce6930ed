"""How a finished model does on images that its study never selected on: one cell, and a matrix."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeface_bench.records.compared import LeftOut
from fakeface_bench.records.scores import ScoredSplit
from fakeface_bench.records.shortcut import ShortcutFloor

#: Figures of a model on a set with both classes: the rows of `METRICS`, and one more.
FIGURES = (
    *("accuracy", "balanced_accuracy", "precision_fake", "recall_fake"),
    *("f1_fake", "f1_real", "f1_macro", "roc_auc", "average_precision"),
    *("recall_at_1pct_fpr", "recall_at_5pct_fpr", "log_loss", "brier", "ece"),
    "false_alarm_rate",
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval, over test images."""

    value: float
    low: float
    high: float


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
        threshold: Score from which it calls an image fake, chosen on its own validation.
        images_seen: Number of training and validation images, which no test may hold.
    """

    label: str
    address: str
    run_id: str
    data: str
    kinds: Mapping[str, str]
    threshold: float
    images_seen: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """Images of a test set that are left out because the model saw them, or copies of them.

    Attributes:
        identical: The same bytes.
        similar: Other bytes of a picture that looks the same: re-encoded, scaled, mirrored.
    """

    identical: int = 0
    similar: int = 0

    @property
    def images(self) -> int:
        """Both kinds."""
        return self.identical + self.similar


@dataclass(frozen=True, slots=True)
class SetScores:
    """One finished model on one test set; a cell of a matrix.

    Attributes:
        model: Which model.
        data: Name of the test set.
        chosen: Which of its images, in words: `its test split`, `all images`.
        is_own: Whether the images are the test split of the model's own study, by their contents.
        kinds: How the fakes of each source of the set were made; empty text where not known.
        digests: SHA-256 of each scored image, in the order of `scored`; pairs models.
        scored: Labels and scores at the model's own threshold; its `metrics` hold what is defined
            where only one class is there.
        figures: By key of `METRICS`, and `false_alarm_rate`: the share of real images called
            fake. Where the set holds one class only: `recall_fake` or `false_alarm_rate` alone.
        parts: The same of each source (where there are several) and tier (`tier/` and its name:
            its fakes against all real images of the set).
        overlap: What was left out.
        floor: What the set's metadata alone would score; None where that was not measurable.
        source_floors: The same of each of several sources, by its name.
        is_part: Whether they are a part of that split: of one of several sources, or fewer.
    """

    model: TrainedModel
    data: str
    chosen: str
    is_own: bool
    kinds: Mapping[str, str]
    digests: tuple[str, ...]
    scored: ScoredSplit
    figures: Mapping[str, Estimate]
    parts: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    overlap: Overlap = Overlap()
    floor: ShortcutFloor | None = None
    source_floors: Mapping[str, ShortcutFloor] = field(default_factory=dict)
    is_part: bool = False

    @property
    def images(self) -> int:
        """Number of images that were scored."""
        return len(self.scored.y_true)

    @property
    def classes(self) -> frozenset[int]:
        """The labels that are there; 1 for fake."""
        return frozenset(int(label) for label in np.unique(self.scored.y_true))

    @property
    def called_fake(self) -> npt.NDArray[np.bool_]:
        """Which images are called fake, shape (n,)."""
        return np.asarray(self.scored.y_score >= self.scored.threshold)


@dataclass(frozen=True, slots=True)
class MixtureEffect:
    """What training on several datasets at once changed, against training on one of them.

    Attributes:
        model: Label of the architecture.
        mixture: Name of the joined dataset, such as `a+b`.
        alone: Name of the one that it is compared with.
        data: Test set.
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
    """A source or tier left out of training, and how the model does on it.

    Attributes:
        model: Label of the architecture.
        data: Name of the dataset.
        column: `source` or `tier`.
        value: Which source or tier was left out.
        without: Trained without it, scored on it: its fakes of the test split against its real
            images (a source) or all real ones (a tier).
        seen: The model trained on everything, scored on the same images.
    """

    model: str
    data: str
    column: str
    value: str
    without: SetScores
    seen: SetScores


@dataclass(frozen=True, slots=True)
class Generalisation:
    """A matrix: rows trained on, columns tested on, for each of one or several architectures.

    Attributes:
        models: Labels of the architectures, in the order asked for.
        trained: Names of the training sets, in the order asked for.
        tested: Names of the test sets, in the order asked for.
        cells: All that could be scored.
        mixtures: What joined training sets changed.
        hold_outs: What was left out in turn.
        left_out: Studies that failed, each with its reason.
        unscored: Cells of finished studies that could not be scored, each with its reason.
    """

    models: tuple[str, ...]
    trained: tuple[str, ...]
    tested: tuple[str, ...]
    cells: tuple[SetScores, ...]
    mixtures: tuple[MixtureEffect, ...] = ()
    hold_outs: tuple[HoldOut, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unscored: tuple[LeftOut, ...] = ()

    def cell(self, model: str, trained: str, tested: str) -> SetScores | None:
        """Return one cell; None where its study failed, or it could not be scored."""
        for cell in self.cells:
            if (cell.model.label, cell.model.data, cell.data) == (model, trained, tested):
                return cell
        return None
