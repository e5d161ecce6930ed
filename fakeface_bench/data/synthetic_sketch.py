"""A portrait in the making: one person's canvas, and the strokes that every part of it takes.

Lengths are in halves of the head's height; (0, 0) is between the eyes. The rules on rounding in
:mod:`fakeface_bench.data.synthetic_camera` hold here too.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from fakeface_bench.data.synthetic_camera import Colour, Points, lit
from fakeface_bench.data.synthetic_people import Person


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
