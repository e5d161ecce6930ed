"""The test images the model was surest of, where it was right and where it was wrong."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from PIL import Image, ImageOps

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.images import decode_bytes
from fakeface_bench.errors import DataError
from fakeface_bench.records import ScoredSplit, StudyRecord
from fakeface_bench.report import style

MOST_IMAGES = 12
_COLUMNS = 4
_THUMBNAIL_PX = 160
_ROW_INCHES = 2.05


def most_confident(
    split: ScoredSplit, right: bool, most: int = MOST_IMAGES
) -> npt.NDArray[np.int64]:
    """Choose up to `most` images that were called right, or wrong, with the highest probability.

    Returns:
        Positions in the split, real images before fake ones, surest first.
    """
    called = split.y_score >= split.threshold
    chosen = np.flatnonzero((called == split.y_true) == right)
    sureness = np.where(called, split.y_score, 1 - split.y_score)[chosen]
    return in_turns(split, chosen[np.argsort(-sureness, kind="stable")], most)


def in_turns(split: ScoredSplit, chosen: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Keep the first `most` of some positions; the classes take turns while both last.

    Scores pile up at one end, and the surest images alone would often all be of one class.

    Returns:
        Positions in the split, real images before fake ones, each in the given order.
    """
    is_fake = split.y_true[chosen].astype(bool)
    turn = np.where(is_fake, np.cumsum(is_fake), np.cumsum(~is_fake))
    shown = np.sort(np.argsort(turn, kind="stable")[:most])
    by_class = np.argsort(split.y_true[chosen[shown]], kind="stable")
    return chosen[shown][by_class]


def write_galleries(record: StudyRecord, folder: Path) -> None:
    """Draw the gallery of right and the gallery of wrong calls."""
    _draw_gallery(record, True, folder / "gallery_right.png")
    _draw_gallery(record, False, folder / "gallery_wrong.png")


def _draw_gallery(record: StudyRecord, right: bool, path: Path) -> None:
    split = record.test
    word = "right" if right else "wrong"
    total = int(np.sum(((split.y_score >= split.threshold) == split.y_true) == right))
    chosen = most_confident(split, right)
    title = f"Most confident {word} calls" if total else f"No {word} calls"
    shown = f"{len(chosen)} of {total:,}" if total else "none"
    counted = f"{shown} {word} among n = {len(split.y_true):,} test images"
    rows = max(1, -(-len(chosen) // _COLUMNS))
    figure = style.new_figure(title, style.subtitle(record, counted), height=rows * _ROW_INCHES)
    if not total:
        style.note(figure.add_subplot(), f"Not one test image was called {word}.")
    for place, position in enumerate(chosen, start=1):
        _draw_tile(figure.add_subplot(rows, _COLUMNS, place), record, int(position))
    style.save(figure, path)


def _draw_tile(axes: Axes, record: StudyRecord, position: int) -> None:
    """Show one image in a frame of its true class's colour; a grey tile where it is gone."""
    split = record.test
    label = int(split.y_true[position])
    folder = Path(record.data_folders[split.sources[position]])
    picture = thumbnail(folder / split.paths[position])
    extent = (0, 1, 0, 1)
    grey = np.full((1, 1, 3), 215, dtype=np.uint8)
    axes.imshow(grey if picture is None else picture, extent=extent, interpolation="antialiased")
    if picture is None:
        words = "image no\nlonger readable"
        axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=style.SMALL_POINTS)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=style.CLASS_COLOURS[label], linewidth=4)
    caption = f"true: {CLASS_NAMES[label]}\nscore {split.y_score[position]:.3f}"
    axes.set_xlabel(caption, fontsize=style.SMALL_POINTS, color=style.INK, labelpad=5)


def thumbnail(path: Path) -> npt.NDArray[np.uint8] | None:
    """Return the centre square as RGB pixels, or nothing where the image cannot be read."""
    try:
        image = decode_bytes(path)
    except DataError:
        return None
    size = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    return np.asarray(ImageOps.fit(image, size, Image.Resampling.LANCZOS), dtype=np.uint8)
