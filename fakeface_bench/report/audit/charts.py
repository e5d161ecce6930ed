"""Charts of an audit: what the files of the two classes look like from outside."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.records import FloatArray, ShortcutFloor
from fakeface_bench.report import style
from fakeface_bench.report.audit.class_comparison import Fact
from fakeface_bench.report.audit.tables import strongest_first
from fakeface_bench.visible import elided

MOST_TABLES = 12
_BINS = 48
#: Beyond this ratio of largest to smallest file a linear axis shows one spike.
_LOG_FROM = 10
#: Of a source's name beside a bar.
_LONGEST_SOURCE = 22
#: Sizes drawn at most; the rarest of more are left out.
_MOST_SIZES = 2000


def draw_file_sizes(files: pd.DataFrame, dataset: str, path: Path) -> None:
    """Draw how the sizes in bytes are distributed in each class, the outermost 0.2 % not shown."""
    numbers = (int((files["label"] == label).sum()) for label in range(2))
    figure = style.new_figure("File sizes", _subtitle(dataset, numbers), height=3.6)
    axes = figure.add_subplot()
    sizes = files["size"].to_numpy(dtype=np.float64) / 1000
    low, high = np.quantile(sizes, (0.001, 0.999))
    low, high = max(low * 0.98, 1e-3), max(high * 1.02, 2e-3)
    is_wide = high / low > _LOG_FROM
    edges = np.geomspace(low, high, _BINS) if is_wide else np.linspace(low, high, _BINS)
    for label, name in enumerate(CLASS_NAMES):
        of_class = sizes[files["label"].to_numpy() == label]
        if len(of_class):
            _draw_distribution(axes, of_class, edges, label)
            middle = float(np.median(of_class))
            words = f"{name}, median {middle:,.1f} kB"
            axes.axvline(middle, color=style.CLASS_COLOURS[label], linestyle="--", label=words)
    axes.set_xscale("log" if is_wide else "linear")
    style.dress(axes, "File size (kB of 1000 bytes)", "Share of the class")
    if is_wide:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(bottom=0)
    style.legend(axes)
    style.save(figure, path)


def draw_dimensions(fact: Fact, dataset: str, path: Path) -> None:
    """Draw each size in pixels as a disc whose area is its share of the class."""
    counts = fact.counts.head(_MOST_SIZES)
    subtitle = _subtitle(dataset, fact.counts.sum())
    figure = style.new_figure("Sizes in pixels", subtitle, height=3.6)
    sides = np.array([text.split("×") for text in counts.index], dtype=np.float64).reshape(-1, 2)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for label, (name, axes) in enumerate(zip(CLASS_NAMES, panels, strict=True)):
        shares = counts[name].to_numpy() / max(1, fact.counts[name].sum())
        there = shares > 0
        area = 12 + 1400 * shares[there]
        colour = style.CLASS_COLOURS[label]
        marks = axes.scatter(sides[there, 0], sides[there, 1], area, colour, alpha=0.45)
        marks.set(edgecolor=colour, linewidth=1.2)
        style.dress(axes, "Width (pixels)", "" if label else "Height (pixels)")
        told = f"{name}: {int(there.sum()):,} size{'s' * (int(there.sum()) != 1)}"
        axes.set_title(told, fontsize=style.LABEL_POINTS, loc="left")
        axes.margins(0.25)
    style.save(figure, path)


def draw_quantisation(fact: Fact, means: pd.Series, dataset: str, path: Path) -> None:
    """Draw the share of each quantisation table among each class's JPEG files.

    Args:
        fact: Of the quantisation tables.
        means: Mean of the luminance table by the table's name; small for fine quality.
        dataset: Name for the subtitle.
        path: To write.
    """
    counts = _up_to_twelve(fact.counts)
    shares = counts / counts.sum().clip(lower=1)
    height = 1.2 + 0.46 * len(counts)
    scale = "mean: of the luminance table, small for fine quality"
    subtitle = f"{_subtitle(dataset, counts.sum(), 'JPEG files')}\n{scale}"
    figure = style.new_figure("JPEG quantisation tables", subtitle, height=height)
    axes = figure.add_subplot()
    places = np.arange(len(counts))
    for label, name in enumerate(CLASS_NAMES):
        values = shares[name].to_numpy()
        side = 0.2 if label else -0.2
        bars = axes.barh(places + side, values, 0.38, color=style.CLASS_COLOURS[label], label=name)
        words = [f"{value:.1%}" if value else "" for value in values]
        axes.bar_label(bars, words, padding=4, fontsize=9, color=style.INK)
    names = [f"{key}\nmean {means[key]:.1f}" if key in means else str(key) for key in counts.index]
    style.dress(axes, "Share of the class's JPEG files", "")
    axes.set_yticks(places, names, fontsize=9)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(len(counts) - 0.45, -0.55)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlim(0, min(1.12, 1.15 * shares.to_numpy().max()))
    figure.legend(loc="outside lower center", ncols=2, fontsize=style.SMALL_POINTS, frameon=False)
    style.save(figure, path)


def draw_shortcut(
    floor: ShortcutFloor, source_floors: Mapping[str, ShortcutFloor], dataset: str, path: Path
) -> None:
    """Draw the floor with its interval, each group of facts alone, and each source alone."""
    whole = {"all together": floor}
    whole |= {f"{elided(name, _LONGEST_SOURCE)} alone": of for name, of in source_floors.items()}
    alone = strongest_first(floor)
    bars = [("all together", floor.roc_auc), *alone, *((n, whole[n].roc_auc) for n in [*whole][1:])]
    figure = style.new_figure(
        "What file metadata alone gives away",
        f"{dataset}, n = {floor.images:,} pictures\nbars: 95 % intervals over "
        "cross-validation folds (Nadeau & Bengio)",
        height=1.3 + 0.38 * len(bars),
    )
    axes = figure.add_subplot()
    axes.axvline(0.5, color=style.PALE_INK, linestyle="--", linewidth=1.2)
    for place, (name, value) in enumerate(bars):
        colour, size = (style.TEST_COLOUR, 90) if name in whole else (style.TRAIN_COLOUR, 55)
        if of := whole.get(name):
            axes.hlines(place, of.low_95, of.high_95, color=colour, linewidth=7, alpha=0.3)
        axes.scatter([value], [place], size, colour, zorder=3)
        words = axes.annotate(f"{value:.2f}", (value, place), (0, 8), textcoords="offset points")
        words.set(ha="center", fontsize=style.SMALL_POINTS, color=style.INK)
        words.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    style.dress(axes, "ROC AUC (0.5 is chance, 1 gives every image away)", "")
    axes.set_yticks(range(len(bars)), [style.plain(name) for name, _ in bars])
    axes.set_ylim(len(bars) - 0.5, -0.7)
    axes.grid(visible=False, axis="y")
    lowest = min(*(of.low_95 for of in whole.values()), *(value for _, value in bars))
    axes.set_xlim(min(0.45, lowest - 0.05), 1.02)
    style.save(figure, path)


def _subtitle(dataset: str, numbers: Iterable[int], what: str = "images") -> str:
    real, fake = numbers
    return f"{dataset}, n = {real:,} real and {fake:,} fake {what}"


def _draw_distribution(axes: Axes, sizes: FloatArray, edges: FloatArray, label: int) -> None:
    shares = np.histogram(sizes, edges)[0] / len(sizes)
    colour = style.CLASS_COLOURS[label]
    axes.stairs(shares, edges, fill=True, color=colour, alpha=0.22)
    axes.stairs(shares, edges, color=colour, linewidth=1.8)


def _up_to_twelve(counts: pd.DataFrame) -> pd.DataFrame:
    if len(counts) <= MOST_TABLES:
        return counts
    rest = counts.iloc[MOST_TABLES:]
    together = rest.sum().to_frame(f"{len(rest):,} more").T
    return pd.concat([counts.head(MOST_TABLES), together])
