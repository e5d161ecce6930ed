"""The people of the embedded set, each drawn at random.

Real and fake images share this one distribution of people, so that no scene tells the classes
apart. Lengths are in halves of the head's height.
"""

from dataclasses import dataclass

import numpy as np

from fakeface_bench.data.synthetic_camera import DRAWN_PX, Colour, Pose, between, mix, pick

SKINS: tuple[Colour, ...] = (
    (244, 212, 190), (236, 196, 170), (224, 178, 148), (206, 156, 122),
    (180, 128, 94), (150, 102, 73), (120, 80, 57), (94, 62, 46),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (32, 27, 26), (48, 35, 30), (74, 50, 36), (98, 66, 44), (120, 68, 42),
    (160, 120, 76), (192, 158, 108), (118, 114, 112), (178, 174, 170),
)  # fmt: skip
IRISES: tuple[Colour, ...] = (
    (70, 42, 24), (98, 62, 32), (122, 98, 52), (84, 112, 72), (76, 112, 150), (110, 128, 142),
)  # fmt: skip
METALS: tuple[Colour, ...] = ((214, 176, 84), (196, 198, 204), (40, 38, 42), (96, 58, 40))


@dataclass(frozen=True)
class Side:
    """What a face carries once per side, and a generator may fail to match."""

    iris: Colour
    iris_size: float
    openness: float
    ear_size: float
    earring: float


@dataclass(frozen=True)
class Person:
    """One person in one pose."""

    pose: Pose
    masculine: bool
    skin: Colour
    hair: Colour
    metal: Colour
    left: Side
    right: Side


def draw_person(rng: np.random.Generator) -> Person:
    """Draw a person; both sides of the face match, as real ones do."""
    lean = between(rng, -0.06, 0.06)
    tone = int(rng.integers(len(SKINS) - 1))
    masculine = bool(rng.random() < 0.5)
    side = Side(
        iris=pick(rng, IRISES),
        iris_size=between(rng, 0.072, 0.084),
        openness=between(rng, 0.055, 0.078),
        ear_size=between(rng, 0.85, 1.15),
        earring=between(rng, 0.035, 0.055) if rng.random() < (0.12 if masculine else 0.6) else 0.0,
    )
    return Person(
        pose=Pose(
            centre_px=(between(rng, 0.45, 0.55) * DRAWN_PX, between(rng, 0.5, 0.55) * DRAWN_PX),
            unit_px=between(rng, 170, 204),
            tilt=((1 - lean * lean) / (1 + lean * lean), 2 * lean / (1 + lean * lean)),
            yaw=between(rng, -1, 1),
            width=between(rng, 0.69, 0.78),
            jaw=between(rng, 0.14, 0.26) if masculine else between(rng, 0.24, 0.36),
        ),
        masculine=masculine,
        skin=mix(SKINS[tone], SKINS[tone + 1], float(rng.random())),
        hair=mix(pick(rng, HAIRS), pick(rng, HAIRS[:4]), between(rng, 0, 0.35)),
        metal=pick(rng, METALS),
        left=side,
        right=side,
    )
