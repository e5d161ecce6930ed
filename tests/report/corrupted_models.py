"""Made-up models that lose their grip with severity, at chosen rates."""

from collections.abc import Mapping

import numpy as np

from fakeface_bench.data.corruptions import CONDITIONS
from fakeface_bench.jobs.robustness import CorruptedScores, robustness_of
from fakeface_bench.records.study import LabelArray
from fakeface_bench.records.transfer import Overlap, Robustness, TrainedModel

IMAGES = 200
#: How strongly each corruption works on the made-up models.
STRENGTHS = {
    "jpeg": 0.25,
    "webp": 0.3,
    "shared": 0.45,
    "resize": 0.9,
    "blur": 0.8,
    "noise": 0.5,
    "crop": 0.3,
    "brightness": 0.1,
    "contrast": 0.1,
    "gamma": 0.15,
}


def labels(images: int = IMAGES) -> LabelArray:
    """Two fakes to three real images."""
    return (np.arange(images) % 5 < 2).astype(np.uint8)


def trained(label: str, threshold: float = 0.5) -> TrainedModel:
    return TrainedModel(
        label=label,
        address=f"models:/{label}/1",
        run_id="0" * 32,
        data="140k",
        kinds={"140k": "GAN (StyleGAN)"},
        threshold=threshold,
        images_seen=600,
    )


def corrupted(
    label: str,
    distance: float = 2.5,
    strengths: Mapping[str, float] = STRENGTHS,
    images: int = IMAGES,
) -> CorruptedScores:
    """Scores whose classes lie `distance` apart, less with every step of a corruption."""
    y_true = labels(images)
    noise = np.random.default_rng(3).normal(size=images)
    columns = [noise + distance * (y_true - 0.5)]
    for corruption, severity in CONDITIONS:
        left = distance * max(0.0, 1 - strengths[corruption.key] * abs(severity.step) / 2)
        jitter = 0.3 * np.random.default_rng(abs(severity.step)).normal(size=images)
        columns.append(noise + jitter + left * (y_true - 0.5))
    return CorruptedScores(
        trained(label), Overlap(identical=3, similar=1), 1 / (1 + np.exp(-np.stack(columns, 1)))
    )


def robustness(*scored: CorruptedScores, data: str = "faces") -> Robustness:
    """The record of a test of these models."""
    y_true = labels(len(scored[0].y_score))
    return Robustness(
        data=data,
        chosen="its held-out test split",
        digest="d" * 64,
        real=int((y_true == 0).sum()),
        fake=int((y_true == 1).sum()),
        seed=0,
        models=robustness_of(y_true, scored),
    )
