"""The ground of every portrait: the camera's side of it, and the strokes that its parts take.

Both classes share all of it, and one distribution of people, so that no scene tells them apart.
Lengths are in halves of the head's height; (0, 0) is between the eyes. Every step of the embedded
set is one that all machines round alike: integer work, scalar or element-wise ``+ - * /`` and
square roots, and Pillow's own work on 8-bit images. Sines come from a table on a coarse grid.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Floats = NDArray[np.float32]
Points = NDArray[np.float64]
T = TypeVar("T")

IMAGE_SIZE_PX = 256
DRAWN_PX = 512
"""Portraits are drawn at twice the final size, for smooth edges."""
_SHADE_PX = 128
_GRAIN_STD = 147.8
"""Standard deviation of the sum of four bytes, from which grain is made."""
_NOSE_AND_CHIN = (
    (0, 0.08, 0.035, 0.24, 156), (0, 0.25, 0.06, 0.06, 158), (0, 0.4, 0.07, 0.03, 106),
    (0, 0.72, 0.14, 0.03, 106), (0, 0.84, 0.12, 0.07, 141),
)  # fmt: skip


def circle(first: int, last: int) -> Points:
    """Points 5 degrees apart on the unit circle, counted clockwise from the top.

    Rounded to 1/4096, far coarser than the last bit in which maths libraries differ.
    """
    turns = [i * math.pi / 36 for i in range(first, last + 1)]
    return np.array([(round(math.sin(t) * 4096), round(-math.cos(t) * 4096)) for t in turns]) / 4096


TURN = circle(0, 71)


def oval(x: float, y: float, wide: float, high: float) -> Points:
    """Outline of an ellipse."""
    return TURN * (wide, high) + (x, y)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw one number evenly from [low, high)."""
    return low + (high - low) * float(rng.random())


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Go from colour ``a`` (share 0) to colour ``b`` (share 1)."""
    red, green, blue = (int(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def lit(colour: Colour, gain: float) -> Colour:
    """Make a colour brighter (gain above 1) or darker, within 0-255."""
    red, green, blue = (min(255, int(x * gain)) for x in colour)
    return red, green, blue


def muted(rng: np.random.Generator, low: int, high: int) -> Colour:
    """Draw a colour of a room or of clothes, less vivid than three free channels would be."""
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    grey = (red + green + blue) // 3
    return mix((red, green, blue), (grey, grey, grey), between(rng, 0.35, 0.75))


@dataclass(frozen=True)
class Pose:
    """Where a head is in the picture; lengths without a unit are in halves of its height."""

    centre_px: tuple[float, float]
    unit_px: float
    tilt: tuple[float, float]
    yaw: float
    width: float
    jaw: float

    def place(self, points: ArrayLike, depth: float = 0.0) -> NDArray[np.int64]:
        """Pixels, in shape (..., 2), of points of the face; ``depth`` follows the head's turn."""
        given = np.asarray(points, np.float64)
        x, y = given[..., 0] + self.yaw * depth, given[..., 1]
        cos, sin = self.tilt
        placed = np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1) * self.unit_px
        pixels: NDArray[np.int64] = np.rint(placed + np.array(self.centre_px)).astype(np.int64)
        return pixels

    def outline(self) -> Points:
        """Outline of the head, narrowing towards the chin."""
        down = np.maximum(TURN[:, 1], 0)
        return np.stack([self.width * TURN[:, 0] * (1 - self.jaw * down * down), TURN[:, 1]], 1)


def grain(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw bell-shaped noise of mean 0 and standard deviation 1, exact on every machine."""
    count = 1
    for side in shape:
        count *= side
    parts = np.frombuffer(rng.bytes(4 * count), np.uint8).reshape(4, *shape)
    total = parts[0].astype(np.int16) + parts[1] + parts[2] + parts[3] - 510
    return np.asarray(total * np.float32(1 / _GRAIN_STD), np.float32)


def to_image(values: Floats) -> Image.Image:
    """Round values to an 8-bit image."""
    return Image.fromarray(np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8))


def to_floats(image: Image.Image) -> Floats:
    """Values of an image, 0-255."""
    return np.asarray(image).astype(np.float32)


def draw_background(rng: np.random.Generator) -> Image.Image:
    """Draw what lies behind a person, out of focus: a gradient, shapes, discs of light."""
    size = 64
    a, b = np.array([muted(rng, 30, 225), muted(rng, 30, 225)], np.float32)
    ramp = (np.arange(size, dtype=np.float32) / np.float32(size - 1))[:, None]
    lean = np.float32(between(rng, 0, 1))
    scene = to_image(a + (b - a) * (ramp * lean + ramp.T * (1 - lean))[..., None])
    sharpness = between(rng, 0.8, 5)
    for shapes in (int(rng.integers(2, 9)), int(rng.integers(0, 9))):
        pen = ImageDraw.Draw(scene)
        for _ in range(shapes):
            x, y, wide, high = rng.integers(-4, size + 4, 4).tolist()
            if shapes % 2:
                high = wide = 4 + wide // 5
                pen.ellipse((x, y, x + wide, y + high), fill=muted(rng, 40, 250))
            else:
                pen.rectangle((x, y, x + abs(wide), y + abs(high)), fill=muted(rng, 25, 230))
        scene = scene.filter(ImageFilter.GaussianBlur(sharpness))
    soft = scene.resize((IMAGE_SIZE_PX, IMAGE_SIZE_PX), Image.Resampling.BILINEAR)
    return soft.resize((DRAWN_PX, DRAWN_PX), Image.Resampling.NEAREST)


def light_on(pose: Pose, rng: np.random.Generator) -> Floats:
    """Light on the face as gains around 1, one per pixel: shape (256, 256)."""
    light = between(rng, -1, 1)
    shade = Image.new("L", (_SHADE_PX, _SHADE_PX), 128)

    def dab(points: ArrayLike, value: float, depth: float = 0.0) -> None:
        places = pose.place(points, depth) // (DRAWN_PX // _SHADE_PX)
        ImageDraw.Draw(shade).polygon(places.ravel().tolist(), fill=int(value))

    dab(oval(0.05 * light, 1.0, 0.42, 0.22), 66)
    dab(pose.outline(), 98)
    dab(oval(0.1 * light, -0.02, pose.width * 0.84, 0.86), 132, 0.04)
    shade = shade.filter(ImageFilter.GaussianBlur(5))
    dab(oval(0.18 * light, -0.5, 0.32, 0.13), 146, 0.04)
    for sign in (-1, 1):
        dab(oval(sign * 0.33, -0.11, 0.19, 0.1), 106, 0.07)
        dab(oval(sign * 0.4 + 0.05 * light, 0.22, 0.15, 0.1), 141 + 8 * sign * light, 0.06)
    dab(oval(-0.1 if light > 0 else 0.1, 0.08, 0.05, 0.24), 100, 0.12)
    for x, y, wide, high, value in _NOSE_AND_CHIN:
        dab(oval(x + 0.02 * light, y, wide, high), value, 0.12)
    shade = shade.filter(ImageFilter.GaussianBlur(2.5))
    gain = to_floats(shade.resize((IMAGE_SIZE_PX, IMAGE_SIZE_PX), Image.Resampling.BILINEAR))
    across = np.arange(IMAGE_SIZE_PX, dtype=np.float32) / np.float32(IMAGE_SIZE_PX)
    slope = np.float32(0.3 * light) * (across - np.float32(0.5))
    return np.asarray(gain / np.float32(128) * (1 + slope), np.float32)


def photograph(scene: Floats, rng: np.random.Generator) -> tuple[Image.Image, int]:
    """Pass a scene through optics and sensor; returns the picture and its JPEG quality."""
    balance = np.array([between(rng, 0.96, 1.04) for _ in range(3)], np.float32)
    exposed = scene * (balance * np.float32(between(rng, 0.85, 1.06)))
    optics = to_image(exposed).filter(ImageFilter.BoxBlur(between(rng, 0.05, 0.25)))
    noise = grain(rng, scene.shape) * np.float32(between(rng, 1.2, 3.2))
    return to_image(to_floats(optics) + noise), int(rng.integers(88, 98))


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


class Sketch:
    """A person being drawn over the background that ``canvas`` (512x512 RGB) holds."""

    def __init__(self, canvas: Image.Image, person: Person, rng: np.random.Generator) -> None:
        self.canvas, self.person, self.pose, self.rng = canvas, person, person.pose, rng
        self.pen: Any = ImageDraw.Draw(canvas)

    def fill(self, points: ArrayLike, colour: Colour, depth: float = 0.0) -> None:
        """Fill a polygon."""
        self.pen.polygon(self.pose.place(points, depth).ravel().tolist(), fill=colour)

    def stroke(self, points: ArrayLike, colour: Colour, width: int, depth: float = 0.0) -> None:
        """Draw a line of ``width`` half pixels of the final image."""
        path = self.pose.place(points, depth).ravel().tolist()
        self.pen.line(path, fill=colour, width=width, joint="curve")

    def hairs(self, paths: Points, colour: Colour, contrast: float = 1.1) -> None:
        """Draw thin lines, each lighter or darker than its neighbour; shape (n, points, 2)."""
        placed = self.pose.place(paths).reshape(len(paths), -1).tolist()
        shades = [lit(colour, 1 + contrast * (step / 15 - 0.5)) for step in range(16)]
        for path, step in zip(placed, self.rng.integers(0, 16, len(paths)).tolist(), strict=True):
            self.pen.line(path, fill=shades[step], width=1 if step < 12 else 2)
