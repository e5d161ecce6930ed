"""A finished study as a comparison reads it back: its figures, costs and every test prediction."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import FROZEN, UNTOUCHED
from fakeface_bench.records.fits import EpochRecord
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.scores import FloatArray, LabelArray
from fakeface_bench.records.study import FROM_SCRATCH


@dataclass(frozen=True, slots=True)
class SeedScores:
    """The test scores of the winning options, fitted with one seed.

    Attributes:
        seed: Of the fit.
        y_score: Probability of fake, shape (n,).
        threshold: From which an image is called fake, chosen on validation.
    """

    seed: int
    y_score: FloatArray
    threshold: float

    @property
    def called_fake(self) -> npt.NDArray[np.bool_]:
        """Which images are called fake, shape (n,)."""
        return self.y_score >= self.threshold


@dataclass(frozen=True, slots=True)
class StudyIdentity:
    """What tells one compared study from another.

    Attributes:
        run_id: Of its MLflow run.
        model: Key of the architecture.
        fine_tune: As in `StudyRecord`.
        weights: Label of the weights that it started from.
        trained: Which layers were trained, in words; empty where the head alone was.
        study: Name of the study.
        data: Name of the dataset.
        equalise: As in `StudyConfig`.
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


@dataclass(frozen=True, slots=True)
class ComparedStudy:
    """One finished study.

    Attributes:
        identity: Which study it is.
        warning: What a reader must know of its weights; empty when nothing.
        y_true: Test labels, 1 for fake, shape (n,); the same of all studies compared.
        paths: Of the test images, relative to their source's folder, length n.
        sources: Name of the dataset that each image comes from, length n.
        data_folders: Absolute folder of each source, on the machine that ran the study.
        seeds: At least one; the first is the model that was kept.
        epochs: Of the final fit.
        epochs_began_seconds: Cold seconds that were needed before its first epoch: to prepare the
            data and to extract train and validation.
        ledger: What it cost.
        machine: What it ran on, in words; empty where that is not known.
        trials: Number of trials that its search holds.
        settings: How it was asked, in words, by each of `TOLD_OPTIONS`, and `image_size_px`; empty
            where that is not known.
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

    @property
    def label(self) -> str:
        """Name in tables and pictures."""
        return self.identity.label

    @property
    def kept(self) -> SeedScores:
        """The scores of the model that was kept."""
        return self.seeds[0]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which test images the kept model called rightly, shape (n,)."""
        return np.asarray(self.kept.called_fake == (self.y_true == 1))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A study that a comparison left out.

    Attributes:
        name: What it is called: model, layers trained, weights.
        run_id: Of its MLflow run; empty where it never had one.
        reason: Why, with its full stop.
    """

    name: str
    run_id: str
    reason: str
