"""Test images beside the evidence in them: vermillion speaks for fake, blue for real."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.records import ExplainedImage, Explanation, StudyRecord
from fakeface_bench.report import style
from fakeface_bench.report.explanation.choice import log_odds

_TITLES = {
    "right": "Evidence in the most confident right calls",
    "wrong": "Evidence in the most confident wrong calls",
    "uncertain": "Evidence in the least certain calls",
}
_NONE = {
    "right": "Not one test image was called right.",
    "wrong": "Not one test image was called wrong.",
    "uncertain": "There is no test image.",
}
_PAIRS_A_ROW = 2
_ROW_INCHES = 2.1
_BAR_INCHES = 0.75
#: Of the places in a picture, the share whose colour is not the strongest.
_WITHIN = 98.0
#: Of the strongest colour; the face below stays visible.
_OPACITY = 0.75
_GAP = 0.04
#: Darkest and brightest grey under the colours: over black and white they would not tell.
_GREYS = (0.25, 0.9)
_LONGEST_NAME = 72
_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, slots=True)
class JudgedImage:
    """What a detector says of a picture of which nobody told the class.

    Attributes:
        name: Of the file.
        model: Of the detector, in words.
        score: Probability of fake.
        threshold: Score from which it is called fake.
    """

    name: str
    model: str
    score: float
    threshold: float


def write_evidence(record: StudyRecord, explanation: Explanation, kind: str, path: Path) -> None:
    """Draw the examples of one kind, each beside the evidence in it."""
    positions = explanation.examples[kind]
    zero = _neutral(record.test.threshold)
    limit = _limit(
        explanation.images[p].evidence - zero for p in positions if p in explanation.images
    )
    rows = max(1, -(-len(positions) // _PAIRS_A_ROW))
    height = rows * _ROW_INCHES + _BAR_INCHES
    figure = style.new_figure(_TITLES[kind], _words(record, len(positions)), height=height)
    if not positions:
        style.note(figure.add_subplot(), _NONE[kind])
    for place, position in enumerate(positions, start=1):
        axes = figure.add_subplot(rows, _PAIRS_A_ROW, place)
        label = int(record.test.y_true[position])
        _draw_pair(axes, explanation.images.get(position), zero, limit)
        axes.spines[:].set(visible=True, color=style.CLASS_COLOURS[label], linewidth=3)
        score = record.test.y_score[position]
        _caption(axes, f"true: {CLASS_NAMES[label]}, score {score:.3f}")
    if positions:
        _draw_bar(figure, limit)
    style.save(figure, path)


def write_evidence_picture(image: ExplainedImage, judged: JudgedImage, path: Path) -> None:
    """Draw one picture beside the evidence in it, with what the detector says of it."""
    call = CLASS_NAMES[int(judged.score >= judged.threshold)]
    words = f"{_shortened(judged.name)}\n{_shortened(judged.model)}"
    figure = style.new_figure(f"Called {call}", words, height=3.7 + _BAR_INCHES)
    zero = _neutral(judged.threshold)
    limit = _limit([image.evidence - zero])
    axes = figure.add_subplot()
    _draw_pair(axes, image, zero, limit)
    axes.spines[:].set_visible(False)
    _caption(axes, f"score {judged.score:.3f}, called fake from {judged.threshold:.3f}")
    _draw_bar(figure, limit)
    style.save(figure, path)


def _words(record: StudyRecord, shown: int) -> str:
    test = record.test
    counted = f"{shown or 'none'} of n = {len(test.y_true):,} test images"
    frames = "frames: true class; colours over grey: evidence for real or fake"
    return f"{style.subtitle(record, counted)}\n{frames}; threshold {test.threshold:.3f}"


def overlay(image: ExplainedImage, zero: float, limit: float) -> npt.NDArray[np.float64]:
    """Return the picture in pale grey under the colours of its evidence, (size, size, 3) of 0 to 1.

    Args:
        image: With its evidence.
        zero: Evidence that speaks for neither class, which leaves the grey as it is.
        limit: Distance from there at which a colour is strongest.
    """
    darkest, brightest = _GREYS
    grey = darkest + (brightest - darkest) * (image.pixels @ _LUMA[:, None]) / 255
    away = np.clip((image.evidence[..., None] - zero) / limit, -1, 1)
    real, fake = (np.array(to_rgb(colour)) for colour in style.CLASS_COLOURS)
    opacity = _OPACITY * np.abs(away)
    return np.asarray(grey * (1 - opacity) + np.where(away > 0, fake, real) * opacity)


def _neutral(threshold: float) -> float:
    """Return the logit at which a call changes: there evidence is drawn without colour."""
    return float(log_odds(threshold))


def _limit(evidence: Iterable[npt.NDArray[np.float32]]) -> float:
    """Return one end of the colours for all tiles, which a few places may exceed."""
    sizes = [np.abs(values) for values in evidence]
    return float(np.percentile(sizes, _WITHIN)) or 1.0 if sizes else 1.0


def _draw_pair(axes: Axes, image: ExplainedImage | None, zero: float, limit: float) -> None:
    """Show a picture and its overlay side by side; a grey tile where the image is gone."""
    grey = np.full((1, 1, 3), 215, dtype=np.uint8)
    tiles: tuple[npt.NDArray[Any], ...] = (grey, grey)
    if image is not None:
        tiles = (image.pixels, overlay(image, zero, limit))
    for left, tile in zip((0.0, 1 + _GAP), tiles, strict=True):
        axes.imshow(tile, extent=(left, left + 1, 0, 1), interpolation="antialiased")
    if image is None:
        words = "image no longer readable"
        axes.text(1, 0.5, words, ha="center", va="center", fontsize=style.SMALL_POINTS)
    axes.set(xlim=(0, 2 + _GAP), ylim=(0, 1), xticks=[], yticks=[])


def _caption(axes: Axes, words: str) -> None:
    axes.set_xlabel(words, fontsize=style.SMALL_POINTS, color=style.INK, labelpad=5)


def _shortened(name: str) -> str:
    """Keep the end of a long name, which tells more than its start."""
    return name if len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"


def _draw_bar(figure: Figure, limit: float) -> None:
    """Explain the colours, over the grey of a picture."""
    real, fake = style.CLASS_COLOURS
    colours = LinearSegmentedColormap.from_list("evidence", [real, "#D9D9D9", fake])
    scale = ScalarMappable(Normalize(-limit, limit), colours)
    bar = figure.colorbar(scale, ax=figure.axes, location="bottom", shrink=0.6, aspect=35, pad=0.03)
    bar.set_label("evidence in logits: real ← → fake", fontsize=style.SMALL_POINTS, color=style.INK)
    bar.ax.tick_params(labelsize=style.SMALL_POINTS, colors=style.INK)
    bar.outline.set_visible(False)
