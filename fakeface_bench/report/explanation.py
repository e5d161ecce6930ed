"""What a detector looked at: evidence in test images, spectra, and how far to trust it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.evaluation.intervals import Z_95, wilson
from fakeface_bench.records.explanation import (
    EXAMPLE_KINDS,
    SPECTRUM_GROUPS,
    ExplainedImage,
    Explanation,
    Spectrum,
)
from fakeface_bench.records.study import ECE_BINS, FloatArray, ScoredSplit, StudyRecord
from fakeface_bench.report import drawing, plotting
from fakeface_bench.report.study_plots import in_turns, most_confident

#: Images of each kind.
MOST_EXAMPLES = 8
#: Keeps the log odds of scores of exactly 0 and 1 finite.
_LEAST_SCORE = 1e-12


def choose_examples(split: ScoredSplit) -> dict[str, tuple[int, ...]]:
    """Choose up to 8 images of each of `EXAMPLE_KINDS`; the classes take turns.

    Returns:
        Positions in the split, by kind: the surest correct predictions, the surest wrong ones, and
        what is nearest to the threshold on the scale of logits, real images before fake ones.
    """
    distance = np.abs(log_odds(split.y_score) - log_odds(split.threshold))
    nearest = np.argsort(distance, kind="stable")
    chosen = {
        "right": most_confident(split, True, MOST_EXAMPLES),
        "wrong": most_confident(split, False, MOST_EXAMPLES),
        "uncertain": in_turns(split, nearest, MOST_EXAMPLES),
    }
    return {kind: tuple(int(p) for p in positions) for kind, positions in chosen.items()}


def log_odds(score: FloatArray | float) -> FloatArray:
    """Return the logit of a probability."""
    within = np.clip(score, _LEAST_SCORE, 1 - _LEAST_SCORE)
    return np.asarray(np.log(within) - np.log1p(-within))


_TITLES = {
    "right": "Evidence in the most confident correct predictions",
    "wrong": "Evidence in the most confident wrong predictions",
    "uncertain": "Evidence in the least certain predictions",
}
_NONE = {
    "right": "Not one test image was predicted correctly.",
    "wrong": "Not one test image was misclassified.",
    "uncertain": "There is no test image.",
}
_PAIRS_A_ROW = 2
_ROW_INCHES = 2.1
_BAR_INCHES = 0.75
#: Of the places in a picture, the share whose colour is not the strongest.
_EVIDENCE_WITHIN = 98.0
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
        threshold: Score from which it is predicted fake.
        unsure: Whether the model is unsure of it.
    """

    name: str
    model: str
    score: float
    threshold: float
    unsure: bool = False


def write_evidence(record: StudyRecord, explanation: Explanation, kind: str, path: Path) -> None:
    """Draw the examples of one kind, each beside the evidence in it."""
    positions = explanation.examples[kind]
    zero = _neutral(record.test.threshold)
    limit = _limit(
        explanation.images[p].evidence - zero for p in positions if p in explanation.images
    )
    rows = max(1, -(-len(positions) // _PAIRS_A_ROW))
    height = rows * _ROW_INCHES + _BAR_INCHES
    words = _words(record, len(positions), explanation.places)
    figure = plotting.new_figure(_TITLES[kind], words, height=height)
    if not positions:
        plotting.note(figure.add_subplot(), _NONE[kind])
    for place, position in enumerate(positions, start=1):
        axes = figure.add_subplot(rows, _PAIRS_A_ROW, place)
        label = int(record.test.y_true[position])
        _draw_pair(axes, explanation.images.get(position), zero, limit)
        axes.spines[:].set(visible=True, color=plotting.CLASS_COLOURS[label], linewidth=3)
        score = record.test.y_score[position]
        unsure = ", unsure" * record.test.is_unsure(position)
        _caption(axes, f"true: {CLASS_NAMES[label]}, score {score:.3f}{unsure}")
    if positions:
        _draw_bar(figure, limit)
    drawing.save(figure, path)


def write_evidence_picture(image: ExplainedImage, judged: JudgedImage, path: Path) -> None:
    """Draw one picture beside the evidence in it, with what the detector says of it."""
    call = CLASS_NAMES[int(judged.score >= judged.threshold)]
    words = f"{_shortened(judged.name)}\n{_shortened(judged.model)}"
    title = f"Predicted {call}{', unsure' * judged.unsure}"
    figure = plotting.new_figure(title, words, height=3.7 + _BAR_INCHES)
    zero = _neutral(judged.threshold)
    limit = _limit([image.evidence - zero])
    axes = figure.add_subplot()
    _draw_pair(axes, image, zero, limit)
    axes.spines[:].set_visible(False)
    _caption(axes, f"score {judged.score:.3f}, predicted fake from {judged.threshold:.3f}")
    _draw_bar(figure, limit)
    drawing.save(figure, path)


def _words(record: StudyRecord, shown: int, places: bool) -> str:
    test = record.test
    counted = f"{shown or 'none'} of n = {len(test.y_true):,} test images"
    frames = "frames: true class; colours over grey: evidence for real or fake"
    if not places:
        frames = "frames: true class; no place shows what is counted over the whole picture"
    return f"{plotting.subtitle(record, counted)}\n{frames}; threshold {test.threshold:.3f}"


def overlay(image: ExplainedImage, zero: float, limit: float) -> npt.NDArray[np.float64]:
    """Return the picture in pale grey under the colours of its evidence, (size, size, 3) of 0 to 1.

    Args:
        zero: Evidence that speaks for neither class, which leaves the grey as it is.
        limit: Distance from there at which a colour is strongest.
    """
    darkest, brightest = _GREYS
    grey = darkest + (brightest - darkest) * (image.pixels @ _LUMA[:, None]) / 255
    away = np.clip((image.evidence[..., None] - zero) / limit, -1, 1)
    real, fake = (np.array(to_rgb(colour)) for colour in plotting.CLASS_COLOURS)
    opacity = _OPACITY * np.abs(away)
    return np.asarray(grey * (1 - opacity) + np.where(away > 0, fake, real) * opacity)


def _neutral(threshold: float) -> float:
    """Return the logit at which a call changes: there evidence is drawn without colour."""
    return float(log_odds(threshold))


def _limit(evidence: Iterable[npt.NDArray[np.float32]]) -> float:
    """Return one end of the colours for all tiles, which a few places may exceed."""
    sizes = [np.abs(values) for values in evidence]
    return float(np.percentile(sizes, _EVIDENCE_WITHIN)) or 1.0 if sizes else 1.0


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
        axes.text(1, 0.5, words, ha="center", va="center", fontsize=plotting.SMALL_POINTS)
    axes.set(xlim=(0, 2 + _GAP), ylim=(0, 1), xticks=[], yticks=[])


def _caption(axes: Axes, words: str) -> None:
    axes.set_xlabel(words, fontsize=plotting.SMALL_POINTS, color=plotting.INK, labelpad=5)


def _shortened(name: str) -> str:
    """Keep the end of a long name, which tells more than its start."""
    return name if len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"


def _draw_bar(figure: Figure, limit: float) -> None:
    """Explain the colours, over the grey of a picture."""
    real, fake = plotting.CLASS_COLOURS
    colours = LinearSegmentedColormap.from_list("evidence", [real, "#D9D9D9", fake])
    scale = ScalarMappable(Normalize(-limit, limit), colours)
    bar = figure.colorbar(scale, ax=figure.axes, location="bottom", shrink=0.6, aspect=35, pad=0.03)
    bar.set_label(
        "evidence in logits: real ← → fake", fontsize=plotting.SMALL_POINTS, color=plotting.INK
    )
    bar.ax.tick_params(labelsize=plotting.SMALL_POINTS, colors=plotting.INK)
    bar.outline.set_visible(False)


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Test images by their score, in the bins of the expected calibration error.

    Attributes:
        edges: Of the bins, all of one width, shape (bins + 1,).
        images: In each bin, shape (bins,).
        score: Mean of a bin's images, not a number where it has none.
    """

    edges: FloatArray
    images: npt.NDArray[np.int64]
    fakes: npt.NDArray[np.int64]
    score: FloatArray


def reliability_bins(split: ScoredSplit) -> ReliabilityBins:
    """Count images and fakes by score, as `evaluation.metrics` does for `ece`."""
    bins = np.minimum((split.y_score * ECE_BINS).astype(int), ECE_BINS - 1)
    images = np.bincount(bins, minlength=ECE_BINS)
    fakes = np.bincount(bins[split.y_true == 1], minlength=ECE_BINS)
    sums = np.bincount(bins, weights=split.y_score, minlength=ECE_BINS)
    score = np.divide(sums, images, out=np.full(ECE_BINS, np.nan), where=images > 0)
    return ReliabilityBins(np.linspace(0, 1, ECE_BINS + 1), images, fakes, score)


def write_reliability(record: StudyRecord, path: Path) -> None:
    """Draw the share of fakes at each score, with 95 % intervals, over a histogram of scores."""
    test = record.test
    ece, brier = test.metrics["ece"], test.metrics["brier"]
    figures = f"expected calibration error {ece:.3f} in {ECE_BINS} bins, Brier score {brier:.3f}"
    of_what = plotting.subtitle(record, f"n = {len(test.y_true):,} test images")
    figure = plotting.new_figure("Reliability diagram", f"{of_what}\n{figures}", height=6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4.2, 1))
    bins = reliability_bins(test)
    draw_shares(upper, bins)
    _draw_counts(lower, bins)
    for axes, label in ((upper, f"threshold {test.threshold:.3f}"), (lower, None)):
        axes.axvline(test.threshold, linestyle="--", color=plotting.INK, linewidth=1.5, label=label)
    plotting.legend(upper, "upper left")
    lower.set_xlim(-0.02, 1.02)
    drawing.save(figure, path)


def draw_shares(axes: Axes, bins: ReliabilityBins) -> None:
    """Draw the share of fakes in each bin with its Wilson interval, against the diagonal."""
    axes.plot([0, 1], [0, 1], color=plotting.PALE_INK, linewidth=1.2, label="perfectly calibrated")
    filled = np.flatnonzero(bins.images)
    shares = bins.fakes[filled] / bins.images[filled]
    spans = [wilson(int(bins.fakes[b]), int(bins.images[b])) for b in filled]
    below = [max(0.0, s - i.low) for s, i in zip(shares, spans, strict=True)]
    above = [max(0.0, i.high - s) for s, i in zip(shares, spans, strict=True)]
    axes.errorbar(
        bins.score[filled],
        shares,
        yerr=(below, above),
        fmt="o",
        color=plotting.TEST_COLOUR,
        markersize=7,
        elinewidth=1.6,
        capsize=3,
        label="test, 95 % interval",
    )
    plotting.dress(axes, "", "Share of fakes")
    axes.set_ylim(-0.02, 1.02)


def _draw_counts(axes: Axes, bins: ReliabilityBins) -> None:
    axes.stairs(bins.images, bins.edges, fill=True, color=plotting.TEST_COLOUR, alpha=0.35)
    plotting.dress(axes, "Score (probability of fake)", "Images")
    for left, right, count in zip(bins.edges, bins.edges[1:], bins.images, strict=False):
        if count:
            text = axes.text((left + right) / 2, count, f"{count:,}", ha="center", va="bottom")
            text.set(fontsize=8.5, color=plotting.INK, family=plotting.FONT)
    axes.set_ylim(0, 1.35 * max(1, bins.images.max()))
    axes.locator_params(axis="y", nbins=3, integer=True)


#: Half a cycle a pixel, the highest frequency that pixels can show, at both ends.
_EXTENT = (-0.5, 0.5, -0.5, 0.5)
_SPECTRUM_WITHIN = 99.5
_COLOURS = dict(zip(SPECTRUM_GROUPS, (*plotting.CLASS_COLOURS, plotting.TEST_COLOUR), strict=True))
_LINES = dict(zip(SPECTRUM_GROUPS, ("-", "-", "--"), strict=True))
_UNIT = "log10 of power"
_DIFFERENCE = "difference of log10"
_NO_DIFFERENCE = "no difference without\nreal and fake images"


def write_spectra(record: StudyRecord, explanation: Explanation, path: Path) -> None:
    """Draw the mean spectra, what tells fake from real in them, and both over all directions."""
    spectra = explanation.spectra
    counted = ", ".join(f"{_images(spectra[g])} {g}" for g in SPECTRUM_GROUPS) + " test images"
    figure = plotting.new_figure(
        "Frequency spectrum", plotting.subtitle(record, counted), height=9.0
    )
    # matplotlib's stubs know of a single one
    halves: Any = figure.subfigures(2, 1, height_ratios=(2, 1))
    upper, lower = halves
    maps, profiles = upper.subplots(2, 2).ravel(), lower.subplots(1, 2)
    _draw_maps(upper, list(maps[:3]), spectra)
    _draw_difference(upper, maps[3], spectra)
    _draw_profiles(profiles[0], spectra)
    _draw_profile_difference(profiles[1], spectra)
    drawing.save(figure, path)


def _draw_maps(
    figure: SubFigure, places: Sequence[Axes], spectra: Mapping[str, Spectrum | None]
) -> None:
    """Draw all groups in the same colours, less the few strongest frequencies."""
    found = [s.log_power for s in spectra.values() if s is not None]
    limits = (
        np.percentile(found, (100 - _SPECTRUM_WITHIN, _SPECTRUM_WITHIN)) if found else (0.0, 1.0)
    )
    for axes, group in zip(places, SPECTRUM_GROUPS, strict=True):
        spectrum = spectra[group]
        if spectrum is None:
            plotting.note(axes, f"no {group} test image")
            continue
        drawn = axes.imshow(spectrum.log_power, "magma", extent=_EXTENT)
        drawn.set_clim(*limits)
        _dress_map(figure, drawn, f"{group} (n = {spectrum.images:,})", _UNIT)


def _draw_difference(figure: SubFigure, axes: Axes, spectra: Mapping[str, Spectrum | None]) -> None:
    real, fake = spectra["real"], spectra["fake"]
    if real is None or fake is None:
        plotting.note(axes, _NO_DIFFERENCE)
        return
    difference = fake.log_power - real.log_power
    limit = float(np.percentile(np.abs(difference), _SPECTRUM_WITHIN)) or 1.0
    blue, vermillion = plotting.CLASS_COLOURS
    colours = LinearSegmentedColormap.from_list("difference", [blue, "white", vermillion])
    drawn = axes.imshow(difference, colours, extent=_EXTENT, vmin=-limit, vmax=limit)
    _dress_map(figure, drawn, "fake less real", _DIFFERENCE)


def _draw_profiles(axes: Axes, spectra: Mapping[str, Spectrum | None]) -> None:
    """Draw each group's mean, and between which bounds 95 % of its images lie."""
    if not any(spectra.values()):
        plotting.note(axes, "no image")
        return
    for group, spectrum in spectra.items():
        if spectrum is None:
            continue
        x, colour = spectrum.frequencies, _COLOURS[group]
        band = (spectrum.profile_low, spectrum.profile_high)
        axes.fill_between(x, *band, color=colour, alpha=0.13, linewidth=0)
        axes.plot(x, spectrum.profile, _LINES[group], color=colour, linewidth=1.8, label=group)
    _dress_profile(axes, "mean, and 95 % of images", _UNIT)


def _draw_profile_difference(axes: Axes, spectra: Mapping[str, Spectrum | None]) -> None:
    """Draw how far the others' means lie from that of real images, fakes with an interval."""
    real = spectra["real"]
    if real is None:
        plotting.note(axes, _NO_DIFFERENCE)
        return
    axes.axhline(0, color=_COLOURS["real"], linewidth=1.8, label="real")
    for group in SPECTRUM_GROUPS[1:]:
        spectrum = spectra[group]
        if spectrum is None:
            continue
        x, colour = spectrum.frequencies, _COLOURS[group]
        difference = spectrum.profile - real.profile
        axes.plot(x, difference, _LINES[group], color=colour, linewidth=1.8, label=group)
        if group == "fake":  # the misjudged are real and fake ones, so no draw of their own
            half = Z_95 * np.hypot(spectrum.profile_error, real.profile_error)
            band = (difference - half, difference + half)
            axes.fill_between(x, *band, color=colour, alpha=0.2, linewidth=0)
    _dress_profile(axes, "less real, 95 % interval", _DIFFERENCE)


def _images(spectrum: Spectrum | None) -> str:
    return f"{0 if spectrum is None else spectrum.images:,}"


def _dress_map(figure: SubFigure, drawn: AxesImage, title: str, unit: str) -> None:
    axes = drawn.axes
    _entitle(axes, title)
    axes.set(xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5))
    axes.set_xlabel(
        "cycles per pixel", fontsize=plotting.SMALL_POINTS, color=plotting.INK, labelpad=1
    )
    bar = figure.colorbar(drawn, ax=axes, shrink=0.85)
    bar.set_label(unit, fontsize=plotting.SMALL_POINTS, color=plotting.INK)
    for ticks in (axes, bar.ax):
        ticks.tick_params(labelsize=plotting.SMALL_POINTS, colors=plotting.INK)


def _dress_profile(axes: Axes, title: str, label: str) -> None:
    _entitle(axes, title)
    plotting.dress(axes, "cycles per pixel", label)
    axes.set_xlim(0, 0.5)
    plotting.legend(axes)


def _entitle(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=plotting.LABEL_POINTS, color=plotting.INK, family=plotting.FONT)


def write_statistics(record: StudyRecord, explanation: Explanation, path: Path) -> None:
    """Draw what each group of residual statistics adds to the log-odds, by true class."""
    groups = list(explanation.statistics)
    counted = " and ".join(
        f"{count} {name}"
        for count, name in zip(explanation.statistics_images, CLASS_NAMES, strict=True)
    )
    figure = plotting.new_figure(
        "Which residual statistics spoke",
        f"{plotting.subtitle(record, f'mean over {counted} test images')}\n"
        "what the log-odds of fake lose where a group is given its mean; effects do not add up",
        height=1.9 + 0.36 * len(groups),
    )
    axes = figure.add_subplot()
    places = np.arange(len(groups))
    for label, name in enumerate(CLASS_NAMES):
        effects = [explanation.statistics[group][label] for group in groups]
        shift = 0.19 * (1 if label else -1)
        axes.barh(places + shift, effects, 0.36, color=plotting.CLASS_COLOURS[label], label=name)
    axes.axvline(0, color=plotting.INK, linewidth=1)
    axes.set_yticks(places, groups)
    axes.invert_yaxis()
    plotting.dress(axes, "log-odds: real ← → fake", "")
    axes.grid(visible=False, axis="y")
    plotting.legend(axes, "lower right")
    drawing.save(figure, path)


#: Of a study's artifacts.
EXPLAIN_FOLDER = "explain"
_METHOD = (
    "HiResCAM (arXiv:2011.08891) at the maps that the head reads, in logits: the mean over a "
    "picture is its logit, positive speaks for fake. head_dependence is the rank correlation of "
    "evidence with and without the head's weights shuffled (arXiv:1810.03292): 1 would mean that "
    "the head does not matter."
)


def write_explanation(record: StudyRecord, explanation: Explanation, folder: Path) -> None:
    """Write the folder `explain`: five pictures or six, and `explanation.json`.

    A test image that is gone from disk costs its tile, nothing else.
    """
    target = folder / EXPLAIN_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for kind in EXAMPLE_KINDS:
        write_evidence(record, explanation, kind, target / f"evidence_{kind}.png")
    write_reliability(record, target / "reliability_diagram.png")
    write_spectra(record, explanation, target / "frequency_spectrum.png")
    if explanation.statistics:
        write_statistics(record, explanation, target / "residual_statistics.png")
    shown = json.dumps(_content(record, explanation), indent=2, allow_nan=False)
    (target / "explanation.json").write_text(f"{shown}\n", encoding="utf-8")


def _content(record: StudyRecord, explanation: Explanation) -> dict[str, Any]:
    return {
        "method": _METHOD,
        "head_dependence": explanation.head_dependence,
        "threshold": record.test.threshold,
        "examples": {
            kind: [_example(record, explanation, position) for position in positions]
            for kind, positions in explanation.examples.items()
        },
        "spectra": {group: _profile(s) for group, s in explanation.spectra.items()},
        **(
            {
                "residual_statistics": {
                    group: dict(zip(CLASS_NAMES, effects, strict=True))
                    for group, effects in explanation.statistics.items()
                }
            }
            if explanation.statistics
            else {}
        ),
    }


def _example(record: StudyRecord, explanation: Explanation, position: int) -> dict[str, Any]:
    test = record.test
    return {
        "source": test.sources[position],
        "path": test.paths[position],
        "true": CLASS_NAMES[int(test.y_true[position])],
        "score": float(test.y_score[position]),
        "readable": position in explanation.images,
    }


def _profile(spectrum: Spectrum | None) -> dict[str, Any]:
    """Return a group's profile, rounded to what its images could tell."""
    if spectrum is None:
        return {"images": 0}
    profiles = {
        "cycles_per_pixel": spectrum.frequencies,
        "log10_power": spectrum.profile,
        "log10_power_low_95": spectrum.profile_low,
        "log10_power_high_95": spectrum.profile_high,
        "log10_power_standard_error": spectrum.profile_error,
    }
    rounded = {key: [round(float(v), 5) for v in values] for key, values in profiles.items()}
    return {"images": spectrum.images, **rounded}
