"""Images as small pictures: within a page, or drawn in a frame of their class's colour."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from PIL import Image, ImageOps

from fakeface_bench.data.decode import decode_bytes
from fakeface_bench.report import plotting
from fakeface_bench.support.errors import DataError

#: Around a picture that is shown whole, and in place of one that is gone.
GROUND = (222, 222, 222)
_SIZE = (160, 160)


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of a page or picture.

    Attributes:
        picture: RGB, shape (160, 160, 3); None where the file cannot be read any more.
        label: 1 for fake.
        words: What is said of it, such as its split or score.
        name: Of the file, visible.
    """

    picture: npt.NDArray[np.uint8] | None
    label: int
    words: str
    name: str = ""


def thumbnail(path: Path, whole: bool = False) -> npt.NDArray[np.uint8] | None:
    """Return RGB pixels, shape (160, 160, 3), or None where the image cannot be read.

    Args:
        whole: Whether all of the picture is shown, on a square ground; else its centre square.
    """
    try:
        image = decode_bytes(path)
    except DataError:
        return None
    how = Image.Resampling.LANCZOS
    square = ImageOps.pad(image, _SIZE, how, GROUND) if whole else ImageOps.fit(image, _SIZE, how)
    return np.asarray(square, dtype=np.uint8)


def draw_tile(axes: Axes, tile: Tile, points: float = plotting.SMALL_POINTS) -> None:
    """Draw a tile in a frame of its class's colour, with its words below."""
    blank = np.full((1, 1, 3), GROUND, dtype=np.uint8)
    picture = blank if tile.picture is None else tile.picture
    axes.imshow(picture, extent=(0, 1, 0, 1), interpolation="antialiased")
    if tile.picture is None:
        words = "image no\nlonger readable"
        axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=plotting.SMALL_POINTS)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=plotting.CLASS_COLOURS[tile.label], linewidth=3)
    axes.set_xlabel(plotting.plain(tile.words), fontsize=points, color=plotting.INK, labelpad=4)
    axes.xaxis.label.set(parse_math=False, family=plotting.FONT)
