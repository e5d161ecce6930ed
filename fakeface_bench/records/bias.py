"""How much of a score was the files' compression history."""

from dataclasses import dataclass

from fakeface_bench.records.transfer import Estimate


@dataclass(frozen=True, slots=True)
class Bias:
    """A study of equalised pictures against the same study of untouched ones.

    Attributes:
        jpeg_quality: Of the JPEG that every picture passed.
        images: Test images, the same of both.
        untouched_auc: Test ROC AUC of the untouched study.
        equalised_auc: Of the equalised one.
        delta_auc: The first less the second, paired.
        untouched_run: MLflow run of the untouched study.
        outlasting: Files of the dataset that were compressed more strongly, whose traces remain.
    """

    jpeg_quality: int
    images: int
    untouched_auc: float
    equalised_auc: float
    delta_auc: Estimate
    untouched_run: str
    outlasting: int = 0

    def metrics(self) -> dict[str, float]:
        """Return the figures under their MLflow names."""
        return {
            "bias/delta_auc": self.delta_auc.value,
            "bias/delta_auc_low": self.delta_auc.low,
            "bias/delta_auc_high": self.delta_auc.high,
            "bias/untouched_auc": self.untouched_auc,
        }

    @property
    def told(self) -> str:
        """In a sentence, by the interval: what is shown, and what is not."""
        delta = self.delta_auc
        figures = (
            f"test ROC AUC {self.untouched_auc:.3f} untouched, {self.equalised_auc:.3f} after one "
            f"JPEG of quality {self.jpeg_quality} for all, a difference of {delta.value:.3f} (95 % "
            f"{delta.low:.3f} to {delta.high:.3f}; n = {self.images:,})"
        )
        if delta.low > 0:
            begin = "That much was read from what one JPEG wipes out, compression history or fine "
            begin += "detail"
        elif delta.high < 0:
            begin = "It does better equalised, so it read no compression history"
        else:
            begin = "Not shown to read compression history"
        remain = f" Of {self.outlasting:,} files, compressed more strongly, traces remain."
        return f"{begin}: {figures}.{remain * bool(self.outlasting)}"
