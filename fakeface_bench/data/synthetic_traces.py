"""What makes the embedded set's fakes fake: a face's sides that differ, an upsampler's spectrum.

Nothing else tells the classes apart; tests hold this. The rules on rounding in
:mod:`fakeface_bench.data.synthetic_camera` hold here too.
"""

from dataclasses import replace

import numpy as np
from PIL import Image

from fakeface_bench.data.synthetic_camera import (
    IMAGE_SIZE_PX,
    Floats,
    between,
    pick,
    to_floats,
    to_image,
)
from fakeface_bench.data.synthetic_people import IRISES, Person

_PHASE_GAIN = np.array([[1.0, -0.45], [-0.6, 0.05]], np.float32)
"""Gain of the four phases of a stride-2 transposed convolution; they sum to 0."""
_GRID = 0.125
"""Largest gain of the grid, at full strength: file sizes match, and an untrained MobileNetV3
reaches a ROC AUC of about 0.92 (``benchmarks/synthetic_floor.py``)."""


def mismatch(person: Person, rng: np.random.Generator) -> Person:
    """Let one side of the face stop matching the other, as generators do."""
    slip = int(rng.integers(4))
    right = person.right
    if slip == 0:
        right = replace(right, iris=pick(rng, IRISES))
    elif slip == 1:
        right = replace(right, iris_size=right.iris_size * between(rng, 0.75, 1.25))
    elif slip == 2:
        right = replace(right, earring=0.0 if right.earring else 0.05)
    else:
        right = replace(right, ear_size=right.ear_size * between(rng, 0.7, 1.3))
    return replace(person, right=right)


def regenerate(scene: Floats, rng: np.random.Generator) -> Floats:
    """Leave a generator's traces: fewer high frequencies, and the grid of its upsampling.

    The strength varies from almost none to plain. The grid gives back the bytes that the lost
    detail saves, so that file sizes do not tell the classes apart.
    """
    strength = between(rng, 0.0, 1.0)
    half = (IMAGE_SIZE_PX // 2, IMAGE_SIZE_PX // 2)
    small = to_image(scene).reduce(2)
    smooth = small.resize((IMAGE_SIZE_PX, IMAGE_SIZE_PX), Image.Resampling.BICUBIC)
    lost = np.float32(0.4 + 0.6 * strength)
    soft = scene + (to_floats(smooth) - scene) * lost
    grid = np.tile(_PHASE_GAIN, half) * np.float32(_GRID * strength)
    return np.asarray(soft * (1 + grid)[..., None], np.float32)
