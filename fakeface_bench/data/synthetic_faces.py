"""The portraits of the embedded set: every part of a person, put together from back to front.

Lengths are in halves of the head's height; (0, 0) is between the eyes. The rules on rounding in
:mod:`fakeface_bench.data.synthetic_camera` hold here too.
"""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fakeface_bench.data.synthetic_camera import Colour, Points, between, lit, mix, muted, oval
from fakeface_bench.data.synthetic_hair import draw_back_hair, draw_beard, draw_brow, draw_hair
from fakeface_bench.data.synthetic_people import Person, Side
from fakeface_bench.data.synthetic_sketch import Sketch

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
    wide, tall = (shape.max(0) - corner + 1).tolist()
    mask, tile = Image.new("1", (wide, tall)), Image.new("RGB", (wide, tall), (226, 220, 214))
    ImageDraw.Draw(mask).polygon((shape - corner).ravel().tolist(), fill=1)
    pen: Any = ImageDraw.Draw(tile)
    for spot, ink in _iris(x + gaze, side):
        pen.polygon((sketch.pose.place(spot, 0.08) - corner).ravel().tolist(), fill=ink)
    lashes = (sketch.pose.place(top, 0.07) - corner).ravel().tolist()
    pen.line(lashes, fill=(130, 114, 106), width=9)
    sketch.canvas.paste(tile, tuple(corner.tolist()), mask)
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
