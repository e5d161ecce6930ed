"""Pairs of duplicates side by side, as pictures: to be believed they have to be seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from PIL import Image, ImageOps

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.images import decode_bytes
from fakeface_bench.errors import DataError
from fakeface_bench.report import style
from fakeface_bench.report.audit.counts import Mask, pairs_of_many
from fakeface_bench.report.wording import counted
from fakeface_bench.visible import elided

MOST_SHOWN = 12
THUMBNAIL_PX = 160
GROUND = (222, 222, 222)
_PAIRS_A_ROW = 2
_ROW_INCHES = 2.35
_CAPTION_CHARACTERS = 22
_CAPTION_POINTS = 8.5


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of a pair.

    Attributes:
        picture: RGB, shape (160, 160, 3); None where the file cannot be read any more.
        label: 1 for fake.
        split: Of the file, or why it is in none.
        name: Of the file, visible.
    """

    picture: npt.NDArray[np.uint8] | None
    label: int
    split: str
    name: str


@dataclass(frozen=True, slots=True)
class ShownPair:
    """Two tiles, and what they are to one another."""

    first: Tile
    second: Tile
    words: str


@dataclass(frozen=True, slots=True)
class PairGroup:
    """The pairs of one picture.

    Attributes:
        key: Name of the picture's file, without its suffix.
        title: What these pairs have in common.
        total: Number of such pairs that are listed.
        at_least: Whether there may be more: not all pairs of many copies are listed.
        pairs: At most 12, identical ones first, then the most alike.
    """

    key: str
    title: str
    total: int
    at_least: bool
    pairs: tuple[ShownPair, ...]

    @property
    def shown(self) -> str:
        """Say how many of how many pairs are shown."""
        total = counted(self.total, "pair", self.at_least)
        return f"{len(self.pairs)} of {total}, identical ones and the most alike first"


PAIR_PICTURES = {
    "duplicates_across_splits": "Duplicates in different splits",
    "opposite_labels": "Identical pictures with opposite labels",
    "manipulated_pairs": "Alike, with opposite labels: a manipulation and its original",
    "duplicates_within_splits": "Duplicates within one split, or in none",
}


def pair_groups(audit: Audit) -> tuple[PairGroup, ...]:
    """Read the images of each kind of pair that exists."""
    across = audit.pairs["across_splits"].to_numpy(dtype=bool)
    opposite = audit.pairs["opposite_labels"].to_numpy(dtype=bool)
    same = (audit.pairs["kind"] == "identical").to_numpy(dtype=bool)
    masks = (across, opposite & same, opposite & ~same, ~across & ~opposite)
    chosen = dict(zip(PAIR_PICTURES, masks, strict=True))
    return tuple(_group(audit, key, mask) for key, mask in chosen.items() if mask.any())


def draw_pairs(group: PairGroup, dataset: str, path: Path) -> None:
    """Draw a group of pairs, two pairs a row."""
    rows = -(-len(group.pairs) // _PAIRS_A_ROW)
    figure = style.new_figure(group.title, f"{dataset}: {group.shown}", height=rows * _ROW_INCHES)
    # A narrow empty column keeps the two pairs of a row apart.
    grid = figure.add_gridspec(rows, 5, width_ratios=(1, 1, 0.08, 1, 1))
    for number, pair in enumerate(group.pairs):
        row, column = number // _PAIRS_A_ROW, 3 * (number % _PAIRS_A_ROW)
        for offset, tile in enumerate((pair.first, pair.second)):
            _draw_tile(figure.add_subplot(grid[row, column + offset]), tile, pair.words)
    style.save(figure, path)


def _group(audit: Audit, key: str, mask: Mask) -> PairGroup:
    at_least = bool(pairs_of_many(audit)[mask].any())
    pairs = tuple(_shown_pairs(audit, mask))
    return PairGroup(key, PAIR_PICTURES[key], int(mask.sum()), at_least, pairs)


def _shown_pairs(audit: Audit, mask: Mask) -> Iterator[ShownPair]:
    pairs = audit.pairs[mask]
    differs = (pairs["kind"] != "identical").to_numpy(dtype=bool)
    order = np.lexsort([pairs["distance"].to_numpy(dtype=np.int64), differs])[:MOST_SHOWN]
    for row in pairs.iloc[order].to_dict(orient="records"):
        first, second = (_tile(audit, int(row[side])) for side in ("first", "second"))
        yield ShownPair(first, second, _words(str(row["kind"]), int(row["distance"])))


def _words(kind: str, distance: int) -> str:
    bits = f"{distance} of 256 bits differ"
    return {"identical": "identical", "mirrored": f"mirrored, {bits}"}.get(kind, bits)


def _tile(audit: Audit, number: int) -> Tile:
    row = audit.files.iloc[number]
    path = str(row["path"])
    return Tile(
        picture=_thumbnail(audit.folders[row["source"]] / path),
        label=int(row["label"]),
        split=row["split"] or ("left out" if row["left_out"] else "no split"),
        name=path.rpartition("/")[2],
    )


def _thumbnail(path: Path) -> npt.NDArray[np.uint8] | None:
    """Return the whole picture on a square ground; nothing where it cannot be read any more."""
    try:
        image = decode_bytes(path)
    except DataError:
        return None
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    square = ImageOps.pad(image, size, Image.Resampling.LANCZOS, color=GROUND)
    return np.asarray(square, dtype=np.uint8)


def _draw_tile(axes: Axes, tile: Tile, words: str) -> None:
    ground = np.full((1, 1, 3), GROUND, dtype=np.uint8)
    picture = ground if tile.picture is None else tile.picture
    axes.imshow(picture, extent=(0, 1, 0, 1), interpolation="antialiased")
    if tile.picture is None:
        gone = "image no\nlonger readable"
        axes.text(0.5, 0.5, gone, ha="center", va="center", fontsize=style.SMALL_POINTS)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=style.CLASS_COLOURS[tile.label], linewidth=3)
    name = elided(tile.name, _CAPTION_CHARACTERS)
    caption = f"{tile.split}, {CLASS_NAMES[tile.label]}\n{name}\n{words}"
    axes.set_xlabel(style.plain(caption), fontsize=_CAPTION_POINTS, color=style.INK, labelpad=4)
    axes.xaxis.label.set(parse_math=False, family=style.FONT)
