"""What a test of robustness found: how well trained models tell pictures that were made worse."""

from dataclasses import dataclass

from fakeface_bench.records.transfer import Estimate, Overlap, TrainedModel

#: ROC AUC of a detector that cannot tell the classes.
CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One severity of one corruption.

    Attributes:
        label: Its severity on the axis.
        told: The same in a sentence.
        step: Place on the axis, 0 for the untouched pictures; what is further away is worse.
        roc_auc: On all test images under it.
        accuracy: Likewise, at the model's own threshold.
    """

    label: str
    told: str
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
        key: Of the corruption.
        title: For people.
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
        model: Which model.
        overlap: Images of the test set that are left out because this model saw them.
        roc_auc: On the untouched pictures.
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
        data: Name of the test set.
        chosen: Which of its images, in words: `its test split`, `all images`.
        digest: SHA-256 over contents and labels of the scored images.
        real: Number of real images that were scored.
        fake: Number of fakes.
        seed: Of the noise.
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
