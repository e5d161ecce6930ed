"""The portraits: the camera's side of them, and every part of a person, from back to front.

Both classes share all of it, and one distribution of people, so that no scene tells them apart.
Each function draws on a sketch, whose random numbers it takes in a fixed order. Lengths are in
halves of the head's height; (0, 0) is between the eyes. Every step of the embedded set is one that
all machines round alike: integer work, scalar or element-wise ``+ - * /`` and square roots, and
Pillow's own work on 8-bit images. Sines come from a table on a coarse grid.
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

    def place(self, points: ArrayLike, depth: float = 0.0) -> Floats:
        """Whole pixels, in shape (..., 2), of points of the face; ``depth`` follows its turn.

        They are float32 because Pillow takes such an array as it is, without a list of numbers.
        """
        given = np.asarray(points, np.float64)
        x, y = given[..., 0] + self.yaw * depth, given[..., 1]
        cos, sin = self.tilt
        placed = np.empty(given.shape)
        np.subtract(x * cos, y * sin, placed[..., 0])
        np.add(x * sin, y * cos, placed[..., 1])
        placed *= self.unit_px
        placed += self.centre_px
        return np.rint(placed, placed).astype(np.float32)

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


def times(scene: Floats, gain: Floats) -> Floats:
    """Multiply the colours of each pixel by its gain, one by one: broadcasting takes longer."""
    product = np.empty_like(scene)
    for colour in range(3):
        np.multiply(scene[..., colour], gain, product[..., colour])
    return product


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
        pen: Any = ImageDraw.Draw(shade)
        pen.polygon(places.ravel(), fill=int(value))

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
    balance *= np.float32(between(rng, 0.85, 1.06))
    lines = scene.reshape(IMAGE_SIZE_PX, -1) * np.tile(balance, IMAGE_SIZE_PX)
    optics = to_image(lines.reshape(scene.shape)).filter(
        ImageFilter.BoxBlur(between(rng, 0.05, 0.25))
    )
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
        self.pen.polygon(self.pose.place(points, depth).ravel(), fill=colour)

    def stroke(self, points: ArrayLike, colour: Colour, width: int, depth: float = 0.0) -> None:
        """Draw a line of ``width`` half pixels of the final image."""
        path = self.pose.place(points, depth).ravel().tolist()
        self.pen.line(path, fill=colour, width=width, joint="curve")

    def hairs(self, paths: Points, colour: Colour, contrast: float = 1.1) -> None:
        """Draw thin lines, each lighter or darker than its neighbour; shape (n, points, 2)."""
        placed = self.pose.place(paths).reshape(len(paths), -1)
        # What `ImageDraw.line` ends in, which would look each colour up again, hair by hair.
        draw = self.pen.draw
        inks = [draw.draw_ink(lit(colour, 1 + contrast * (step / 15 - 0.5))) for step in range(16)]
        for path, step in zip(placed, self.rng.integers(0, 16, len(paths)).tolist(), strict=True):
            draw.draw_lines(path, inks[step], 1 if step < 12 else 2)


_CROWN = circle(-23, 23)
"""From below the left ear over the top to below the right ear."""


def draw_back_hair(sketch: Sketch, volume: float) -> None:
    """Draw long hair falling behind the head, ``volume`` times as far out as the head's edge."""
    end, wide = between(sketch.rng, 1.0, 1.75), sketch.pose.width * volume * 1.08
    low = [(wide * 1.05, 0.55 * end), (wide * 1.02, 0.8 * end), (wide * 0.85, end)]
    base = [*(_CROWN * (wide, volume)), *low, *((-x, y) for x, y in reversed(low))]
    sketch.fill(base, lit(sketch.person.hair, 0.6))
    across, drop, wave = sketch.rng.random((3, 260))
    x, wave = (2 * across - 1) * wide, (wave - 0.5) * 0.12
    xs = [x * 0.85, x * 1.0 + wave, x * 1.08 - wave, x * 1.05 + wave, x * 0.93]
    ys = [drop * 0 + y for y in (-0.6, -0.1, 0.4 * end, 0.75 * end)]
    ys.append(end * (0.94 + 0.1 * drop))
    sketch.hairs(np.stack([np.stack(xs, 1), np.stack(ys, 1)], 2), lit(sketch.person.hair, 0.8))


def draw_hair(sketch: Sketch, volume: float, long_hair: bool) -> None:
    """Draw the cap of hair between a hairline and its outer edge, then strand by strand."""
    rng, hair, last = sketch.rng, sketch.person.hair, len(_CROWN) - 1
    style = pick(rng, ("parted", "parted", "fringe", "back", "curly"))
    line, edge = _hair_band(sketch, style, volume, long_hair)
    ends = slice(2, -2) if long_hair else slice(5, -5)
    sketch.fill([*edge[ends], *(line + (edge - line) * 0.1)[ends][::-1]], lit(hair, 0.78))
    along, up = _combing(sketch, style, 700)
    at = np.clip(along, 0, 1) * last
    if not long_hair:
        at = 2 + at * (last - 4) / last
    below = np.minimum(at.astype(np.int64), last - 1)
    part = at - below
    # All x, then all y: numpy is slow along an axis of two.
    foot, crest = (ends.T[:, below] + np.diff(ends.T)[:, below] * part for ends in (line, edge))
    paths = np.moveaxis(foot + (crest - foot) * up, 0, -1)
    if style == "curly":
        curl = rng.integers(0, 72, (len(paths), 1)) + np.arange(0, 56, 8)
        paths = paths + 0.045 * TURN[curl % 72]
    sketch.hairs(paths, hair)


def _hair_band(sketch: Sketch, style: str, volume: float, long_hair: bool) -> tuple[Points, Points]:
    """Hairline and outer edge of the hair, point by point beside each other."""
    fringe = style == "fringe"
    front = between(sketch.rng, 0.4, 0.5) if fringe else between(sketch.rng, 0.6, 0.7)
    x, y = _CROWN[:, 0], _CROWN[:, 1]
    grown = volume - 1 + (0.08 if style == "curly" and not long_hair else 0)
    fade = np.ones_like(y) if long_hair else np.clip(0.45 - y, 0.05, 1)
    inner = front + (0.98 - front) * np.minimum(1, 1.4 * x * x * x * x)
    line = np.stack([x * np.minimum(1, inner + 0.1), y * inner], 1)
    edge = _CROWN * (1 + grown * fade)[:, None]
    return line * (sketch.pose.width, 1), edge * (sketch.pose.width, 1)


def _combing(sketch: Sketch, style: str, count: int) -> tuple[Points, Points]:
    """Where strands run: shares of the way along the hairline, and from it to the edge."""
    where, height, drift = sketch.rng.random((3, count, 1))
    steps = np.arange(7) / 6
    if style == "curly":
        return where + 0 * steps, height * 1.06 + 0 * steps
    if style == "back":
        up = 1.02 * steps * (0.5 + 0.5 * height) - 0.03 * drift
        return where + (0.5 - where) * 0.25 * steps, up
    if style == "fringe":
        middle = 0.5 + (where - 0.5) * (0.6 + 0.4 * steps)
        return middle, 1 - (1.03 + 0.12 * drift) * steps
    part = between(sketch.rng, 0.32, 0.68)
    goal = np.where(where < part, -0.08, 1.08)
    start = part + (where - part) * 0.25
    along = start + (goal - start) * (0.75 + 0.25 * drift) * steps
    return along, 1.02 * height + 0.12 * (drift - 0.5) * steps


def draw_beard(sketch: Sketch) -> None:
    """Draw single hairs, thicker on some people, from below the cheeks to the chin."""
    across, down, length = sketch.rng.random((3, int(sketch.rng.integers(120, 900))))
    x = (2 * across - 1) * 0.96
    top = 0.68 - 0.75 * x * x * x * x - 0.24 * np.minimum(1, np.abs(x) * 3)
    y = top + (np.sqrt(1 - x * x) * 0.99 - top) * down
    x = x * sketch.pose.width * (1 - sketch.pose.jaw * np.maximum(y, 0) * np.maximum(y, 0))
    ends = np.stack([x * 1.03, y + 0.02 + 0.05 * length], 1)
    colour = mix(sketch.person.hair, sketch.person.skin, 0.3)
    sketch.hairs(np.stack([np.stack([x, y], 1), ends], 1), colour, 0.8)


def draw_brow(sketch: Sketch, sign: int, spacing: float, arch: float, thick: float) -> None:
    """Draw the brow of one side: ``sign`` is -1 for the picture's left, 1 for its right."""
    along, over = sketch.rng.random((2, 80))
    t = 2 * along - 1
    x = sign * (0.19 * t + spacing)
    y = thick * (over - 0.5) * (1.1 - 0.6 * along) - 0.235
    y = y - arch * (1 - (t - 0.3) * (t - 0.3)) + 0.02 * t * t
    ends = np.stack([x + sign * 0.06, y - 0.02 + 0.035 * along], 1)
    colour = mix(lit(sketch.person.hair, 0.75), (44, 32, 28), 0.4)
    sketch.hairs(np.stack([np.stack([x, y], 1), ends], 1), colour)


_LID = np.array([-1.0, -0.85, -0.65, -0.4, -0.15, 0.15, 0.4, 0.65, 0.85, 1.0])


def draw_portrait(canvas: Image.Image, person: Person, rng: np.random.Generator) -> None:
    """Draw a person over the background that ``canvas`` (512x512 RGB) holds."""
    sketch, man = Sketch(canvas, person, rng), person.masculine
    long_hair, volume = rng.random() < (0.08 if man else 0.7), between(rng, 1.12, 1.3)
    if long_hair:
        draw_back_hair(sketch, volume)
    _body(sketch)
    _ear(sketch, -1, person.left)
    _ear(sketch, 1, person.right)
    sketch.fill(person.pose.outline(), person.skin)
    if man and rng.random() < 0.5:
        draw_beard(sketch)
    _mouth(sketch)
    _nose(sketch)
    _eyes(sketch)
    draw_hair(sketch, volume, bool(long_hair))
    if rng.random() < 0.22:
        _glasses(sketch)


def _body(sketch: Sketch) -> None:
    rng, skin = sketch.rng, sketch.person.skin
    thick = between(rng, 0.4, 0.47) if sketch.person.masculine else between(rng, 0.33, 0.39)
    neck = np.array([(0.97, 0.4), (1, 1.2), (1.3, 1.4), (1.8, 1.6)])
    sketch.fill([*(neck * (thick, 1)), *(neck[::-1] * (-thick, 1))], lit(skin, 0.86))
    cloth, low, span = muted(rng, 20, 220), between(rng, 1.28, 1.5), between(rng, 1.3, 1.5)
    collar = [(thick * 1.12, 1.12), (thick * 1.5, 1.2)]
    side = np.array([*collar, (0.8, 1.32), (span, 1.5), (span + 0.2, 3)])
    neckline = oval(0, 1.12, thick * 1.1, low - 1.12)[18:55]
    sketch.fill([*neckline, *(side * (-1, 1)), *side[::-1]], cloth)
    across, down, slant = rng.random((3, 220))
    x, y = (2 * across - 1) * span, low + 0.12 + down * 0.5
    ends = np.stack([x + 0.06 * (slant - 0.5), y + 0.14], 1)
    sketch.hairs(np.stack([np.stack([x, y], 1), ends], 1), cloth, between(rng, 0.1, 0.5))
    sketch.stroke(neckline, lit(cloth, between(rng, 0.65, 1.3)), 10)


def _ear(sketch: Sketch, sign: int, side: Side) -> None:
    size, ring, skin = side.ear_size, side.earring, sketch.person.skin
    x = sign * sketch.pose.width
    sketch.fill(oval(x, 0.08, 0.1 * size, 0.21 * size), lit(skin, 0.9), -0.03)
    sketch.fill(oval(x + sign * 0.015, 0.06, 0.055 * size, 0.13 * size), lit(skin, 0.7), -0.03)
    if ring:
        x, y = x + sign * 0.02, 0.1 + 0.21 * size + ring
        shine = oval(x - 0.3 * ring, y - 0.3 * ring, 0.35 * ring, 0.35 * ring)
        sketch.fill(oval(x, y, ring, ring), sketch.person.metal, -0.03)
        sketch.fill(shine, lit(sketch.person.metal, 1.5), -0.03)


def _mouth(sketch: Sketch) -> None:
    rng, man = sketch.rng, sketch.person.masculine
    wide, lift = between(rng, 0.2, 0.27), between(rng, -0.01, 0.055)
    full = between(rng, 0.045, 0.075) if man else between(rng, 0.06, 0.1)
    rouge = between(rng, 0.1, 0.3) if man else between(rng, 0.15, 0.7)
    colour = mix(lit(sketch.person.skin, 0.76), (178, 52, 64), rouge)
    gap = between(rng, 0.02, 0.05) if rng.random() < 0.3 else 0.0
    bend = _LID * _LID
    seam = np.stack([wide * _LID, 0.54 - lift * bend], 1)
    bow = full * (1 - bend) * (1 - 0.25 * np.maximum(0, 1 - np.abs(_LID) * 4))
    upper = seam - np.stack([0 * bow, bow], 1)
    teeth = seam + np.stack([0 * bend, gap * (1 - bend)], 1)
    lower = teeth + np.stack([0 * bend, 1.35 * full * (1 - bend * bend)], 1)
    sketch.fill([*seam, *teeth[::-1]], (222, 216, 208), 0.09)
    sketch.fill([*upper, *seam[::-1]], lit(colour, 0.84), 0.09)
    sketch.fill([*teeth, *lower[::-1]], colour, 0.09)
    sketch.stroke(seam, lit(colour, 0.5), 3, 0.09)
    sketch.fill(oval(-0.03, 0.54 + gap + 0.7 * full, wide * 0.3, 0.012), lit(colour, 1.15), 0.09)


def _nose(sketch: Sketch) -> None:
    wide, skin = between(sketch.rng, 0.09, 0.125), sketch.person.skin
    wing = np.array([(1.1, 0.22), (1.27, 0.27), (1.2, 0.31), (0.9, 0.335)])
    for sign in (-1, 1):
        sketch.stroke(wing * (sign * wide, 1), lit(skin, 0.74), 3, 0.14)
        sketch.fill(oval(sign * wide * 0.55, 0.325, 0.034, 0.017), lit(skin, 0.42), 0.14)
    sketch.stroke([(-wide * 0.4, 0.35), (0, 0.362), (wide * 0.4, 0.35)], lit(skin, 0.68), 3, 0.14)


def _eyes(sketch: Sketch) -> None:
    rng = sketch.rng
    spacing, slant = between(rng, 0.31, 0.35), between(rng, -0.02, 0.02)
    gaze, arch = between(rng, -0.02, 0.02), between(rng, 0.0, 0.05)
    thick = between(rng, 0.05, 0.075) if sketch.person.masculine else between(rng, 0.03, 0.05)
    for sign, side in ((-1, sketch.person.left), (1, sketch.person.right)):
        _eye(sketch, sign * spacing, sign * slant, gaze, side)
        draw_brow(sketch, sign, spacing, arch, thick)


def _eye(sketch: Sketch, x: float, slant: float, gaze: float, side: Side) -> None:
    """Draw one eye on a tile of its own, and put that through a mask of its opening."""
    skin, bow = sketch.person.skin, side.openness * (1 - _LID * _LID)
    xs, ys = x + 0.155 * _LID, slant * _LID - 0.06
    top = np.stack([xs, ys - bow * (1 + 0.15 * _LID)], 1)
    low = np.stack([xs, ys + 0.75 * bow], 1)
    sketch.stroke(top[1:-1] - (0, 0.035), lit(skin, 0.7), 3, 0.07)
    shape = sketch.pose.place([*top, *low[::-1]], 0.07)
    corner = shape.min(0)
    wide, tall = (shape.max(0) - corner + 1).astype(int).tolist()
    mask, tile = Image.new("1", (wide, tall)), Image.new("RGB", (wide, tall), (226, 220, 214))
    masked: Any = ImageDraw.Draw(mask)
    masked.polygon((shape - corner).ravel(), fill=1)
    pen: Any = ImageDraw.Draw(tile)
    for spot, ink in _iris(x + gaze, side):
        pen.polygon((sketch.pose.place(spot, 0.08) - corner).ravel(), fill=ink)
    pen.line((sketch.pose.place(top, 0.07) - corner).ravel(), fill=(130, 114, 106), width=9)
    sketch.canvas.paste(tile, tuple(corner.astype(int).tolist()), mask)
    sketch.stroke(top, lit(skin, 0.2), 4 if sketch.person.masculine else 6, 0.07)
    sketch.stroke(low, lit(skin, 0.62), 2, 0.07)


def _iris(x: float, side: Side) -> list[tuple[Points, Colour]]:
    """Discs of an iris, its pupil and a highlight, largest first."""
    iris, size = side.iris, side.iris_size
    discs = ((1.0, lit(iris, 0.45)), (0.88, iris), (0.64, lit(iris, 1.35)), (0.43, (10, 8, 8)))
    spots = [(oval(x, -0.07, share * size, share * size), ink) for share, ink in discs]
    return [*spots, (oval(x - 0.025, -0.1, 0.016, 0.018), (250, 250, 250))]


def _glasses(sketch: Sketch) -> None:
    wide, high = between(sketch.rng, 0.2, 0.23), between(sketch.rng, 0.15, 0.19)
    metal, width = sketch.person.metal, int(sketch.rng.integers(4, 9))
    for sign in (-1, 1):
        rim = oval(sign * 0.33, -0.03, wide, high)
        sketch.stroke([*rim, *rim[:2]], metal, width, 0.1)
        joint = sign * (0.33 + wide) + 0.1 * sketch.pose.yaw
        sketch.stroke([(joint, -0.06), (sign * sketch.pose.width, -0.04)], metal, width)
    sketch.stroke([(-0.33 + wide, -0.05), (0, -0.08), (0.33 - wide, -0.05)], metal, width, 0.1)
