"""A made-up explanation of a study: evidence, and spectra of each group of images."""

import numpy as np

from fakeface_bench.records.explanation import ExplainedImage, Explanation, Spectrum
from fakeface_bench.records.study import ScoredSplit
from fakeface_bench.report.explanation import choose_examples

SIZE = 48


def explained(seed: int) -> ExplainedImage:
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 3, (SIZE // 8, SIZE // 8)).repeat(8, 0).repeat(8, 1)
    pixels = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    return ExplainedImage(pixels, evidence.astype(np.float32))


def spectrum(seed: int, images: int = 30) -> Spectrum:
    rng = np.random.default_rng(seed)
    profile = np.linspace(5, 1, SIZE // 2) + rng.normal(0, 0.05, SIZE // 2)
    power = rng.normal(2, 0.3, (SIZE, SIZE))
    return Spectrum(images, power, profile, profile - 1, profile + 1, np.full(SIZE // 2, 0.05))


def explanation_of(split: ScoredSplit, gone: int = 0) -> Explanation:
    """Explain all examples but the first few, which are gone."""
    examples = choose_examples(split)
    shown = sorted({position for chosen in examples.values() for position in chosen})[gone:]
    wrong = int(np.sum((split.y_score >= split.threshold) != split.y_true))
    return Explanation(
        examples,
        {position: explained(position) for position in shown},
        0.21 if shown else None,
        {
            "real": spectrum(0),
            "fake": spectrum(1),
            "misjudged": spectrum(2, wrong) if wrong else None,
        },
    )
