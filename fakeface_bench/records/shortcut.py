"""What can be told of a dataset's classes without looking at a picture."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShortcutFloor:
    """What a small classifier scores that sees a file's metadata and not one pixel.

    Attributes:
        roc_auc: Cross-validated, of all facts together.
        low_95: Lower end of its 95 % interval, over folds (Nadeau & Bengio 2003).
        high_95: Upper end.
        images: Number of pictures it was measured on, copies counted once.
        alone: Cross-validated ROC AUC of each group of facts alone: `file size`, `dimensions`,
            `mode and format`, `JPEG quantisation`, `EXIF and ICC`; at least 0.5, for a fact that
            tells nothing scores below that in cross-validation.
    """

    roc_auc: float
    low_95: float
    high_95: float
    images: int
    alone: Mapping[str, float]
