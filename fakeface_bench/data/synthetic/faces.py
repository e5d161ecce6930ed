"""The portraits: every part of a person, put together from back to front.

Each function draws on a sketch, whose random numbers it takes in a fixed order. Lengths are in
halves of the head's height; (0, 0) is between the eyes. The rules on rounding in
:mod:`fakeface_bench.data.synthetic.drawing` hold here too.
"""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fakeface_bench.data.synthetic.drawing import (
    TURN,
    Colour,
    Person,
    Points,
    Side,
    Sketch,
    between,
    circle,
    lit,
    mix,
    muted,
    oval,
    pick,
)

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
    part = (at - below)[..., None]
    foot = line[below] + (line[below + 1] - line[below]) * part
    crest = edge[below] + (edge[below + 1] - edge[below]) * part
    paths = foot + (crest - foot) * up[..., None]
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
