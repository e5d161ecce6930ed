"""All files of a dataset's audit: the page within a single HTML file, and what lies beside it.

Every text passes through jinja2's autoescape: a file may be named anything.
"""

from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import pandas as pd

from fakeface_bench.analysis.audit import Counts, Fact, fact_named
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.duplicates import MOST_PAIRS
from fakeface_bench.report import audit_tables
from fakeface_bench.report.audit_checks import (
    Findings,
    audit_markdown,
    format_shares,
    format_split,
    key_metrics,
    kilobytes,
    summary,
)
from fakeface_bench.report.audit_plots import (
    PAIR_PICTURES,
    draw_dimensions,
    draw_file_sizes,
    draw_pairs,
    draw_quantisation,
    draw_shortcut,
    pair_groups,
)
from fakeface_bench.report.page import page_environment, page_picture
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
    return [*by_key, _compared(findings, tables["file_sizes.csv"])]


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
