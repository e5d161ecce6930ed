"""All files of a dataset's audit: the page within a single HTML file, and what lies beside it.

Every text passes through jinja2's autoescape: a file may be named anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from operator import itemgetter
from pathlib import Path

import pandas as pd
from PIL import Image

from fakeface_bench.analysis.audit import Fact, fact_named
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.duplicates import MOST_PAIRS
from fakeface_bench.report import audit_tables
from fakeface_bench.report.audit_findings import format_shares, kilobytes
from fakeface_bench.report.audit_plots import (
    PAIR_PICTURES,
    PairGroup,
    draw_dimensions,
    draw_file_sizes,
    draw_pairs,
    draw_quantisation,
    draw_shortcut,
    pair_groups,
)
from fakeface_bench.report.audit_text import (
    Findings,
    described,
    find,
    findings_markdown,
    format_split,
    key_metrics,
)
from fakeface_bench.report.page import data_uri, page_environment
from fakeface_bench.report.table import COUNT, FIGURE, LONG, WORDS, Column, Table, more, write_csv
from fakeface_bench.support.text import elided, visible

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
            ("tier", "Images by tier"),
        )
        if balance[key].nunique() > 1
    ]
    return [_splits(findings), *by_key, _compared(findings, tables["file_sizes.csv"])]


def detailed_tables(findings: Findings, tables: dict[str, pd.DataFrame]) -> list[Table]:
    """Return the tables of single files, duplicates first, each cut at 50 rows."""
    details = [_detail(tables[file], file, *words) for file, words in _DETAILS.items()]
    counts = findings.counts
    if not (counts.identical.at_least or counts.near.at_least):
        return details
    return [replace(details[0], note=f"{details[0].note} {_NOT_ALL}".strip()), *details[1:]]


def _splits(findings: Findings) -> Table:
    counts = findings.counts
    sizes = {split: counts.of_split(split) for split in SPLITS}
    if counts.unsplit:
        reals, fakes = zip(*counts.unsplit.values(), strict=True)
        sizes["no split"] = sum(reals), sum(fakes)
    reals, fakes = zip(*sizes.values(), strict=True)
    sizes["all"] = sum(reals), sum(fakes)
    rows = [_split_row(split, *numbers) for split, numbers in sizes.items()]
    title = "Images not left out" if counts.unsplit else "Images a study would use"
    return Table.of(("split", *CLASS_NAMES, "images", "share of fakes"), rows, title=title)


def _split_row(split: str, real: int, fake: int) -> tuple[str, ...]:
    share = f"{100 * fake / (real + fake):.1f} %" if real + fake else "-"
    return split, f"{real:,}", f"{fake:,}", f"{real + fake:,}", share


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
    description = (kilobytes(medians[name]) if name in medians else "none" for name in CLASS_NAMES)
    rows.append(("Median file size", *description, ""))
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


@dataclass(frozen=True)
class Pictures:
    """What the page shows: charts by their key in `CHARTS`, and pairs of duplicates."""

    charts: dict[str, Path]
    groups: tuple[PairGroup, ...]


def write_page(
    audit: Audit,
    findings: Findings,
    pictures: Pictures,
    tables: dict[str, pd.DataFrame],
    path: Path,
) -> None:
    """Write the page; it needs no other file, no script and no network.

    Args:
        audit: What was found.
        findings: What it means.
        pictures: Already drawn.
        tables: The CSV tables by file name.
        path: To write.
    """
    content = (
        page_environment()
        .get_template("audit.html")
        .render(
            title=visible(audit.name),
            verdict=findings.verdict,
            weight=findings.weight,
            lead=described(audit, findings.counts),
            about=_about(audit, findings),
            key_metrics=key_metrics(findings.counts, audit.floor),
            topics=findings.topics,
            overview=overview_tables(findings, tables),
            charts=_charts(pictures.charts),
            groups=pictures.groups,
            details=detailed_tables(findings, tables),
            files=sorted([*tables, "audit.md", "files.parquet"]),
        )
    )
    path.write_text(content, encoding="utf-8")


def _about(audit: Audit, findings: Findings) -> Sequence[tuple[str, str]]:
    folders = [
        (
            f"Folder of {elided(source)}" if len(audit.folders) > 1 else "Folder",
            visible(str(folder)),
        )
        for source, folder in audit.folders.items()
    ]
    kept = "not left out" if findings.counts.unsplit else "used"
    return [
        ("Images", f"{findings.counts.images:,} {kept} of {findings.counts.found:,} found"),
        ("Split", format_split(audit, findings.counts)),
        *folders,
        ("Digest", audit.digest),
    ]


def _charts(paths: dict[str, Path]) -> list[dict[str, object]]:
    """Read the charts with their sizes, so that the page does not jump while it loads."""
    charts: list[dict[str, object]] = []
    for key, alt in CHARTS.items():
        if key in paths:
            content = paths[key].read_bytes()
            with Image.open(BytesIO(content)) as picture:
                width, height = picture.size
            uri = data_uri(content, "png")
            charts.append({"uri": uri, "alt": alt, "width": width, "height": height})
    return charts


#: Of a dataset's name in a picture's subtitle.
_LONGEST_NAME = 34


def write_audit_report(audit: Audit, folder: Path) -> None:
    """Write `audit.html`, `audit.md`, the tables, `files.parquet` and the folder `pictures`.

    Files of an earlier report in the same folder are replaced, and pictures of what is no longer
    found removed. An image that is gone from disk costs its thumbnail, nothing else. Facts of
    files are told of those that a study would use; `files.parquet` holds all.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    findings = find(audit)
    tables = _tables(audit, findings)
    for name, table in tables.items():
        write_csv(table, folder / name)
    audit.files.to_parquet(folder / "files.parquet")
    pictures = _draw(audit, findings, folder / "pictures")
    text = findings_markdown(audit, findings)
    (folder / "audit.md").write_text(text, encoding="utf-8")
    write_page(audit, findings, pictures, tables, folder / "audit.html")


def _tables(audit: Audit, findings: Findings) -> dict[str, pd.DataFrame]:
    return {
        "balance.csv": audit_tables.balance(audit),
        "formats.csv": audit_tables.formats(findings.facts),
        "quantisation.csv": audit_tables.quantisation(audit),
        "file_sizes.csv": audit_tables.file_sizes(audit),
        "duplicates.csv": audit_tables.duplicates(audit),
        "problems.csv": audit_tables.problems(audit),
        "left_out.csv": audit_tables.left_out(audit),
        "shortcut.csv": audit_tables.shortcut(audit.floor, audit.source_floors),
    }


def _draw(audit: Audit, findings: Findings, folder: Path) -> Pictures:
    for name in (*CHARTS, *PAIR_PICTURES):
        (folder / f"{name}.png").unlink(missing_ok=True)
    dataset = elided(audit.name, _LONGEST_NAME)
    charts = _draw_files(audit, findings.facts, dataset, folder)
    if audit.floor is not None:
        charts["shortcut"] = folder / "shortcut.png"
        draw_shortcut(audit.floor, audit.source_floors, dataset, charts["shortcut"])
    return Pictures(charts, _draw_groups(audit, dataset, folder))


def _draw_files(
    audit: Audit, facts: tuple[Fact, ...], dataset: str, folder: Path
) -> dict[str, Path]:
    """Draw what the used files look like from outside, where there is something to see."""
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
    return charts


def _draw_groups(audit: Audit, dataset: str, folder: Path) -> tuple[PairGroup, ...]:
    groups = pair_groups(audit)
    for group in groups:
        draw_pairs(group, dataset, folder / f"{group.key}.png")
    return groups
