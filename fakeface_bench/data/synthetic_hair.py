"""Hair of the embedded set's people, strand by strand: on the head, behind it, beard and brows.

Each function draws on a sketch, whose random numbers it takes in a fixed order.
"""

import numpy as np

from fakeface_bench.data.synthetic_camera import TURN, Points, between, circle, lit, mix, pick
from fakeface_bench.data.synthetic_sketch import Sketch

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
