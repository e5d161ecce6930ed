"""All files of a dataset's audit: its page within one HTML file, its pictures, its tables.

Every text passes through jinja2's autoescape: a file may be named anything.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from fakeface_bench.analysis.audit import Counts, Fact, Mask, fact_named, pairs_of_many
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.duplicates import MOST_PAIRS
from fakeface_bench.records.study import FloatArray, ShortcutFloor
from fakeface_bench.report import audit_tables, drawing, plotting
from fakeface_bench.report.audit_checks import (
    Findings,
    audit_markdown,
    format_shares,
    format_split,
    key_metrics,
    kilobytes,
    summary,
)
from fakeface_bench.report.audit_tables import strongest_first
from fakeface_bench.report.format import counted, percent
from fakeface_bench.report.page import page_environment, page_picture
from fakeface_bench.report.table import COUNT, FIGURE, LONG, WORDS, Column, Table, more, write_csv
from fakeface_bench.report.tiles import Tile, draw_tile, thumbnail
from fakeface_bench.support.text import elided, visible

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
    figure = plotting.new_figure("File sizes", _subtitle(dataset, numbers), height=3.6)
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
            axes.axvline(middle, color=plotting.CLASS_COLOURS[label], linestyle="--", label=words)
    axes.set_xscale("log" if is_wide else "linear")
    plotting.dress(axes, "File size (kB of 1000 bytes)", "Share of the class")
    if is_wide:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(bottom=0)
    plotting.legend(axes)
    drawing.save(figure, path)


def draw_dimensions(fact: Fact, dataset: str, path: Path) -> None:
    """Draw each size in pixels as a disc whose area is its share of the class."""
    counts = fact.counts.head(_MOST_SIZES)
    subtitle = _subtitle(dataset, fact.counts.sum())
    figure = plotting.new_figure("Sizes in pixels", subtitle, height=3.6)
    sides = np.array([text.split("×") for text in counts.index], dtype=np.float64).reshape(-1, 2)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for label, (name, axes) in enumerate(zip(CLASS_NAMES, panels, strict=True)):
        shares = counts[name].to_numpy() / max(1, fact.counts[name].sum())
        there = shares > 0
        area = 12 + 1400 * shares[there]
        colour = plotting.CLASS_COLOURS[label]
        marks = axes.scatter(sides[there, 0], sides[there, 1], area, colour, alpha=0.45)
        marks.set(edgecolor=colour, linewidth=1.2)
        plotting.dress(axes, "Width (pixels)", "" if label else "Height (pixels)")
        title = f"{name}: {int(there.sum()):,} size{'s' * (int(there.sum()) != 1)}"
        axes.set_title(title, fontsize=plotting.LABEL_POINTS, loc="left")
        axes.margins(0.25)
    drawing.save(figure, path)


def draw_quantisation(fact: Fact, means: pd.Series, dataset: str, path: Path) -> None:
    """Draw the share of each quantisation table among each class's JPEG files.

    Args:
        means: Mean of the luminance table by the table's name; small for fine quality.
    """
    counts = _up_to_twelve(fact.counts)
    shares = counts / counts.sum().clip(lower=1)
    height = 1.2 + 0.46 * len(counts)
    scale = "mean: of the luminance table, small for fine quality"
    subtitle = f"{_subtitle(dataset, counts.sum(), 'JPEG files')}\n{scale}"
    figure = plotting.new_figure("JPEG quantisation tables", subtitle, height=height)
    axes = figure.add_subplot()
    places = np.arange(len(counts))
    for label, name in enumerate(CLASS_NAMES):
        values = shares[name].to_numpy()
        side = 0.2 if label else -0.2
        bars = axes.barh(
            places + side, values, 0.38, color=plotting.CLASS_COLOURS[label], label=name
        )
        words = [f"{value:.1%}" if value else "" for value in values]
        axes.bar_label(bars, words, padding=4, fontsize=9, color=plotting.INK)
    names = [f"{key}\nmean {means[key]:.1f}" if key in means else str(key) for key in counts.index]
    plotting.dress(axes, "Share of the class's JPEG files", "")
    axes.set_yticks(places, names, fontsize=9)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(len(counts) - 0.45, -0.55)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlim(0, min(1.12, 1.15 * shares.to_numpy().max()))
    figure.legend(
        loc="outside lower center", ncols=2, fontsize=plotting.SMALL_POINTS, frameon=False
    )
    drawing.save(figure, path)


def draw_shortcut(
    floor: ShortcutFloor, source_floors: Mapping[str, ShortcutFloor], dataset: str, path: Path
) -> None:
    """Draw the floor with its interval, each group of facts alone, and each source alone."""
    whole = {"all together": floor}
    whole |= {f"{elided(name, _LONGEST_SOURCE)} alone": of for name, of in source_floors.items()}
    alone = strongest_first(floor)
    bars = [("all together", floor.roc_auc), *alone, *((n, whole[n].roc_auc) for n in [*whole][1:])]
    figure = plotting.new_figure(
        "What file metadata alone gives away",
        f"{dataset}, n = {floor.images:,} pictures\nbars: 95 % intervals over "
        "cross-validation folds (Nadeau & Bengio)",
        height=1.3 + 0.38 * len(bars),
    )
    axes = figure.add_subplot()
    axes.axvline(0.5, color=plotting.PALE_INK, linestyle="--", linewidth=1.2)
    for place, (name, value) in enumerate(bars):
        colour, size = (plotting.TEST_COLOUR, 90) if name in whole else (plotting.TRAIN_COLOUR, 55)
        if of := whole.get(name):
            axes.hlines(place, of.low_95, of.high_95, color=colour, linewidth=7, alpha=0.3)
        axes.scatter([value], [place], size, colour, zorder=3)
        words = axes.annotate(f"{value:.2f}", (value, place), (0, 8), textcoords="offset points")
        words.set(ha="center", fontsize=plotting.SMALL_POINTS, color=plotting.INK)
        words.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    plotting.dress(axes, "ROC AUC (0.5 is chance, 1 gives every image away)", "")
    axes.set_yticks(range(len(bars)), [plotting.plain(name) for name, _ in bars])
    axes.set_ylim(len(bars) - 0.5, -0.7)
    axes.grid(visible=False, axis="y")
    lowest = min(*(of.low_95 for of in whole.values()), *(value for _, value in bars))
    axes.set_xlim(min(0.45, lowest - 0.05), 1.02)
    drawing.save(figure, path)


def _subtitle(dataset: str, numbers: Iterable[int], what: str = "images") -> str:
    real, fake = numbers
    return f"{dataset}, n = {real:,} real and {fake:,} fake {what}"


def _draw_distribution(axes: Axes, sizes: FloatArray, edges: FloatArray, label: int) -> None:
    shares = np.histogram(sizes, edges)[0] / len(sizes)
    colour = plotting.CLASS_COLOURS[label]
    axes.stairs(shares, edges, fill=True, color=colour, alpha=0.22)
    axes.stairs(shares, edges, color=colour, linewidth=1.8)


def _up_to_twelve(counts: pd.DataFrame) -> pd.DataFrame:
    if len(counts) <= MOST_TABLES:
        return counts
    rest = counts.iloc[MOST_TABLES:]
    together = rest.sum().to_frame(f"{len(rest):,} more").T
    return pd.concat([counts.head(MOST_TABLES), together])


MOST_SHOWN = 12
_PAIRS_A_ROW = 2
_ROW_INCHES = 2.35
_CAPTION_CHARACTERS = 22
_CAPTION_POINTS = 8.5


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
    "duplicates_across_splits": "Duplicates and twins in different splits",
    "opposite_labels": "Identical pictures with opposite labels",
    "manipulated_pairs": "Alike, with opposite labels: a manipulation and its original",
    "duplicates_within_splits": "Duplicates and twins within one split, or in none",
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
    figure = plotting.new_figure(
        group.title, f"{dataset}: {group.shown}", height=rows * _ROW_INCHES
    )
    # A narrow empty column keeps the two pairs of a row apart.
    grid = figure.add_gridspec(rows, 5, width_ratios=(1, 1, 0.08, 1, 1))
    for number, pair in enumerate(group.pairs):
        row, column = number // _PAIRS_A_ROW, 3 * (number % _PAIRS_A_ROW)
        for offset, tile in enumerate((pair.first, pair.second)):
            _draw_tile(figure.add_subplot(grid[row, column + offset]), tile, pair.words)
    drawing.save(figure, path)


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
    words = {"identical": "identical", "mirrored": f"mirrored, {bits}", "twin": f"twins, {bits}"}
    return words.get(kind, bits)


def _tile(audit: Audit, number: int) -> Tile:
    row = audit.files.iloc[number]
    path = str(row["path"])
    return Tile(
        picture=thumbnail(audit.folders[row["source"]] / path, whole=True),
        label=int(row["label"]),
        words=row["split"] or ("left out" if row["left_out"] else "no split"),
        name=path.rpartition("/")[2],
    )


def _draw_tile(axes: Axes, tile: Tile, words: str) -> None:
    name = elided(tile.name, _CAPTION_CHARACTERS)
    caption = f"{tile.words}, {CLASS_NAMES[tile.label]}\n{name}\n{words}"
    draw_tile(axes, replace(tile, words=caption), _CAPTION_POINTS)


MOST_ROWS = 50
#: Title, what an empty one says, of the tables that name single files.
_DETAILS = {
    "duplicates.csv": ("Duplicates", "No duplicates found."),
    "left_out.csv": ("Left out", "No image was left out."),
    "problems.csv": ("Problem files", "No problem found in any file."),
}
_NOT_ALL = (
    f"The pairs listed of a picture that stands in {MOST_PAIRS} or more connect all its copies; "
    "there may be further ones."
)
_LONG = ("path", "detail")
_LONG_PATH = 72


def overview_tables(findings: Findings, tables: dict[str, pd.DataFrame]) -> list[Table]:
    """Return how many images there are of what, and how the classes' files compare."""
    balance = tables["balance.csv"]
    by_key = [
        _counted(balance, key, title)
        for key, title in (
            ("source", "Images by source"),
            ("category", "Images by category"),
            ("generator", "Images by generator"),
            ("tier", "Images by tier"),
        )
        if balance[key].nunique() > 1
    ]
    makers = tables.get(MAKERS_FILE)
    of_makers = [] if makers is None else [_by_maker(makers)]
    return [*by_key, *of_makers, _compared(findings, tables["file_sizes.csv"])]


MAKERS_FILE = "made_by.csv"


def _by_maker(makers: pd.DataFrame) -> Table:
    """Return the files of each generator and real source side by side."""
    rows = [
        (
            elided(row["made_by"]),
            f"{row['images']:,}",
            kilobytes(row["median_bytes"]),
            f"{row['format']}, {percent(row['format_share'])}",
            f"{row['pixel_size']}, {percent(row['pixel_size_share'])}",
            f"{row['jpeg_table']}, {percent(row['jpeg_table_share'])}"
            if row["jpeg_table"]
            else "none",
        )
        for row in makers.head(MOST_ROWS).to_dict("records")
    ]
    head = ("made by", "images", "median size", "most: format", "size in pixels", "JPEG table")
    note = "".join(more(len(makers) - MOST_ROWS, MAKERS_FILE))
    return Table.of(head, rows, title="Files by generator and real source", note=note)


def detailed_tables(findings: Findings, tables: dict[str, pd.DataFrame]) -> list[Table]:
    """Return the tables of single files, duplicates first, each cut at 50 rows."""
    details = [_detail(tables[file], file, *words) for file, words in _DETAILS.items()]
    counts = findings.counts
    if not (counts.identical.at_least or counts.near.at_least):
        return details
    return [replace(details[0], note=f"{details[0].note} {_NOT_ALL}".strip()), *details[1:]]


def _counted(balance: pd.DataFrame, key: str, title: str) -> Table:
    sums = balance.groupby([key, "class"])[["images", "left_out"]].sum()
    images = sums["images"].unstack(fill_value=0).reindex(columns=CLASS_NAMES, fill_value=0)
    out = sums["left_out"].groupby(level=0).sum()
    names = list(images.index)
    rows = [
        (elided(name) or "none", *(f"{n:,}" for n in images.loc[name]), f"{out[name]:,}")
        for name in names[:MOST_ROWS]
    ]
    note = "".join(more(len(names) - MOST_ROWS, "balance.csv"))
    return Table.of((key, *CLASS_NAMES, "left out"), rows, title=title, note=note)


def _compared(findings: Findings, sizes: pd.DataFrame) -> Table:
    facts = [fact for fact in findings.facts if len(fact.counts)]
    rows = [
        (
            fact.name[0].upper() + fact.name[1:],
            *(format_shares(fact, name) for name in CLASS_NAMES),
            f"{100 * fact.difference:.0f} %",
        )
        for fact in facts
    ]
    medians = dict(zip(sizes["class"], sizes["q50"], strict=True))
    middle = (kilobytes(medians[name]) if name in medians else "none" for name in CLASS_NAMES)
    rows.append(("Median file size", *middle, ""))
    return Table.of(
        ("fact", *CLASS_NAMES, "apart"),
        rows,
        *(WORDS, WORDS, WORDS, FIGURE),
        title="Files of the two classes compared",
        marked=frozenset(place for place, fact in enumerate(facts) if fact.differs),
        note="Apart: the share of one class that would have to change for both to be alike. Rows "
        "in colour differ by more than chance. All values are in formats.csv.",
    )


def _detail(table: pd.DataFrame, file: str, title: str, empty: str) -> Table:
    if table.empty:
        return Table((), (), title, empty)
    names = [str(name) for name in table.columns]
    of_names = (
        Column(name, name, itemgetter(name), _PATH if name in _LONG else _CELL) for name in names
    )
    columns = _OF_PAIRS if file == "duplicates.csv" else tuple(of_names)
    records = table.head(MOST_ROWS).to_dict(orient="records")
    return Table(columns, records, title, "".join(more(len(table) - MOST_ROWS, file)))


def _cell(value: object) -> str:
    return elided(str(value), _LONG_PATH) or "-"


_CELL = replace(WORDS, text=_cell)
_PATH = replace(LONG, text=_cell)
_OF_PAIRS = (
    Column("first", "first", itemgetter("first_path"), _PATH),
    Column("second", "second", itemgetter("second_path"), _PATH),
    Column("kind", "kind", itemgetter("kind")),
    Column("bits", "bits", itemgetter("distance"), COUNT),
    Column("splits", "splits", lambda pair: _both(pair["first_split"], pair["second_split"])),
    Column("labels", "labels", lambda pair: _both(pair["first_label"], pair["second_label"])),
)


def _both(first: str, second: str) -> str:
    first, second = first or "none", second or "none"
    return first if first == second else f"{first} / {second}"


#: What each picture shows, for those who cannot see it; in the order of the page.
CHARTS = {
    "shortcut": "ROC AUC of classifiers that see only file metadata, against chance",
    "quantisation": "Share of each JPEG quantisation table in each class",
    "file_sizes": "Distribution of file sizes in each class",
    "dimensions": "Sizes in pixels in each class",
}


def _about(audit: Audit, counts: Counts) -> list[tuple[str, str]]:
    several = len(audit.folders) > 1
    folders = [
        (f"Folder of {elided(source)}" if several else "Folder", visible(str(folder)))
        for source, folder in audit.folders.items()
    ]
    return [
        ("Split", format_split(audit, counts)),
        *folders,
        ("Digest", audit.digest),
    ]


#: Of a dataset's name in a picture's subtitle.
_LONGEST_NAME = 34


def write_audit_report(audit: Audit, findings: Findings, folder: Path) -> None:
    """Write `audit.html`, `audit.md`, the tables, `files.parquet` and the folder `pictures`.

    Files of an earlier report in the same folder are replaced, and pictures of what is no longer
    found removed. An image that is gone from disk costs its thumbnail, nothing else. The tables
    are of the files that a study would use; `files.parquet` holds all.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    tables = _tables(audit, findings)
    for name, table in tables.items():
        write_csv(table, folder / name)
    audit.files.to_parquet(folder / "files.parquet")
    for name in (*CHARTS, *PAIR_PICTURES):
        (pictures / f"{name}.png").unlink(missing_ok=True)
    dataset = elided(audit.name, _LONGEST_NAME)
    charts = _draw_charts(audit, findings.facts, dataset, pictures)
    groups = pair_groups(audit)
    for group in groups:
        draw_pairs(group, dataset, pictures / f"{group.key}.png")
    (folder / "audit.md").write_text(audit_markdown(audit, findings), encoding="utf-8")
    page = page_environment().get_template("audit.html")
    content = page.render(
        title=visible(audit.name),
        verdict=findings.verdict,
        weight=findings.weight,
        lead=summary(audit, findings.counts),
        about=_about(audit, findings.counts),
        key_metrics=key_metrics(findings.counts, audit.floor),
        topics=findings.topics,
        overview=overview_tables(findings, tables),
        charts=[page_picture(charts[key], alt) for key, alt in CHARTS.items() if key in charts],
        groups=groups,
        details=detailed_tables(findings, tables),
        files=sorted([*tables, "audit.md", "files.parquet"]),
    )
    (folder / "audit.html").write_text(content, encoding="utf-8")


def _tables(audit: Audit, findings: Findings) -> dict[str, pd.DataFrame]:
    makers = audit_tables.by_maker(audit)
    return {
        "balance.csv": audit_tables.balance(audit),
        "formats.csv": audit_tables.formats(findings.facts),
        "quantisation.csv": audit_tables.quantisation(audit),
        "file_sizes.csv": audit_tables.file_sizes(audit),
        "duplicates.csv": audit_tables.duplicates(audit),
        "problems.csv": audit_tables.problems(audit),
        "left_out.csv": audit_tables.left_out(audit),
        "shortcut.csv": audit_tables.shortcut(audit),
        **({MAKERS_FILE: makers} if len(makers) else {}),
    }


def _draw_charts(
    audit: Audit, facts: tuple[Fact, ...], dataset: str, folder: Path
) -> dict[str, Path]:
    """Draw what there is to see; return the charts of the page by their key in `CHARTS`."""
    files = audit.used
    charts: dict[str, Path] = {}
    if len(files):
        charts["file_sizes"] = folder / "file_sizes.png"
        draw_file_sizes(files, dataset, charts["file_sizes"])
    if len((sizes := fact_named(facts, "dimensions")).counts) > 1:
        charts["dimensions"] = folder / "dimensions.png"
        draw_dimensions(sizes, dataset, charts["dimensions"])
    if len((jpeg := fact_named(facts, "quantisation")).counts):
        means = files.groupby("quantisation")["quality"].mean()
        draw_quantisation(jpeg, means, dataset, folder / "quantisation.png")
        if len(jpeg.counts) > 1:  # one table says nothing that needs a picture on the page
            charts["quantisation"] = folder / "quantisation.png"
    if audit.floor is not None:
        charts["shortcut"] = folder / "shortcut.png"
        draw_shortcut(audit.floor, audit.source_floors, dataset, charts["shortcut"])
    return charts
