"""Spatial frequencies of real, fake and misjudged test images, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import SubFigure
from matplotlib.image import AxesImage

from fakeface_bench.evaluation.intervals import Z_95
from fakeface_bench.records import SPECTRUM_GROUPS, Explanation, Spectrum, StudyRecord
from fakeface_bench.report import style

#: Half a cycle a pixel, the highest frequency that pixels can show, at both ends.
_EXTENT = (-0.5, 0.5, -0.5, 0.5)
_WITHIN = 99.5
_COLOURS = dict(zip(SPECTRUM_GROUPS, (*style.CLASS_COLOURS, style.TEST_COLOUR), strict=True))
_LINES = dict(zip(SPECTRUM_GROUPS, ("-", "-", "--"), strict=True))
_UNIT = "log10 of power"
_DIFFERENCE = "difference of log10"
_NO_DIFFERENCE = "no difference without\nreal and fake images"


def write_spectra(record: StudyRecord, explanation: Explanation, path: Path) -> None:
    """Draw the mean spectra, what tells fake from real in them, and both over all directions."""
    spectra = explanation.spectra
    counted = ", ".join(f"{_images(spectra[g])} {g}" for g in SPECTRUM_GROUPS) + " test images"
    figure = style.new_figure("Frequency spectrum", style.subtitle(record, counted), height=9.0)
    # matplotlib's stubs know of a single one
    halves: Any = figure.subfigures(2, 1, height_ratios=(2, 1))
    upper, lower = halves
    maps, profiles = upper.subplots(2, 2).ravel(), lower.subplots(1, 2)
    _draw_maps(upper, list(maps[:3]), spectra)
    _draw_difference(upper, maps[3], spectra)
    _draw_profiles(profiles[0], spectra)
    _draw_profile_difference(profiles[1], spectra)
    style.save(figure, path)


def _draw_maps(
    figure: SubFigure, places: Sequence[Axes], spectra: Mapping[str, Spectrum | None]
) -> None:
    """Draw all groups in the same colours, less the few strongest frequencies."""
    found = [s.log_power for s in spectra.values() if s is not None]
    limits = np.percentile(found, (100 - _WITHIN, _WITHIN)) if found else (0.0, 1.0)
    for axes, group in zip(places, SPECTRUM_GROUPS, strict=True):
        spectrum = spectra[group]
        if spectrum is None:
            style.note(axes, f"no {group} test image")
            continue
        drawn = axes.imshow(spectrum.log_power, "magma", extent=_EXTENT)
        drawn.set_clim(*limits)
        _dress_map(figure, drawn, f"{group} (n = {spectrum.images:,})", _UNIT)


def _draw_difference(figure: SubFigure, axes: Axes, spectra: Mapping[str, Spectrum | None]) -> None:
    real, fake = spectra["real"], spectra["fake"]
    if real is None or fake is None:
        style.note(axes, _NO_DIFFERENCE)
        return
    difference = fake.log_power - real.log_power
    limit = float(np.percentile(np.abs(difference), _WITHIN)) or 1.0
    blue, vermillion = style.CLASS_COLOURS
    colours = LinearSegmentedColormap.from_list("difference", [blue, "white", vermillion])
    drawn = axes.imshow(difference, colours, extent=_EXTENT, vmin=-limit, vmax=limit)
    _dress_map(figure, drawn, "fake less real", _DIFFERENCE)


def _draw_profiles(axes: Axes, spectra: Mapping[str, Spectrum | None]) -> None:
    """Draw each group's mean, and between which bounds 95 % of its images lie."""
    if not any(spectra.values()):
        style.note(axes, "no image")
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
        style.note(axes, _NO_DIFFERENCE)
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
    axes.set_xlabel("cycles per pixel", fontsize=style.SMALL_POINTS, color=style.INK, labelpad=1)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.85)
    bar.set_label(unit, fontsize=style.SMALL_POINTS, color=style.INK)
    for ticks in (axes, bar.ax):
        ticks.tick_params(labelsize=style.SMALL_POINTS, colors=style.INK)


def _dress_profile(axes: Axes, title: str, label: str) -> None:
    _entitle(axes, title)
    style.dress(axes, "cycles per pixel", label)
    axes.set_xlim(0, 0.5)
    style.legend(axes)


def _entitle(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=style.LABEL_POINTS, color=style.INK, family=style.FONT)
