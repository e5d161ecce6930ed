"""The tables of an audit's page: those that compare the classes, and long ones cut short."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.duplicates import MOST_PAIRS
from fakeface_bench.report.audit.comparison_findings import kilobytes, shares_told
from fakeface_bench.report.audit.verdict import Findings
from fakeface_bench.report.page import PageTable
from fakeface_bench.visible import elided

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


def overview_tables(findings: Findings, tables: dict[str, pd.DataFrame]) -> list[PageTable]:
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


def detailed_tables(findings: Findings, tables: dict[str, pd.DataFrame]) -> list[PageTable]:
    """Return the tables of single files, duplicates first, each cut at 50 rows."""
    details = [_detail(tables[file], file, *words) for file, words in _DETAILS.items()]
    counts = findings.counts
    if not (counts.identical.at_least or counts.near.at_least):
        return details
    return [replace(details[0], note=f"{details[0].note} {_NOT_ALL}".strip()), *details[1:]]


def _splits(findings: Findings) -> PageTable:
    counts = findings.counts
    sizes = {split: counts.of_split(split) for split in SPLITS}
    if counts.unsplit:
        reals, fakes = zip(*counts.unsplit.values(), strict=True)
        sizes["no split"] = sum(reals), sum(fakes)
    reals, fakes = zip(*sizes.values(), strict=True)
    sizes["all"] = sum(reals), sum(fakes)
    rows = tuple(_split_row(split, *numbers) for split, numbers in sizes.items())
    columns = ("Split", *(name.capitalize() for name in CLASS_NAMES), "Images", "Share of fakes")
    title = "Images not left out" if counts.unsplit else "Images a study would use"
    return PageTable(title, columns, rows, frozenset({1, 2, 3, 4}))


def _split_row(split: str, real: int, fake: int) -> tuple[str, ...]:
    share = f"{100 * fake / (real + fake):.1f} %" if real + fake else "-"
    return split, f"{real:,}", f"{fake:,}", f"{real + fake:,}", share


def _counted(balance: pd.DataFrame, key: str, title: str) -> PageTable:
    sums = balance.groupby([key, "class"])[["images", "left_out"]].sum()
    images = sums["images"].unstack(fill_value=0).reindex(columns=CLASS_NAMES, fill_value=0)
    out = sums["left_out"].groupby(level=0).sum()
    names = list(images.index)
    rows = tuple(
        (
            elided(name) or "none",
            *(f"{number:,}" for number in images.loc[name]),
            f"{out[name]:,}",
        )
        for name in names[:MOST_ROWS]
    )
    columns = (key.capitalize(), *(name.capitalize() for name in CLASS_NAMES), "Left out")
    return PageTable(
        title, columns, rows, frozenset({1, 2, 3}), note=_more(len(names), "balance.csv")
    )


def _compared(findings: Findings, sizes: pd.DataFrame) -> PageTable:
    facts = [fact for fact in findings.facts if len(fact.counts)]
    rows = [
        (
            fact.name[0].upper() + fact.name[1:],
            *(shares_told(fact, name) for name in CLASS_NAMES),
            f"{100 * fact.difference:.0f} %",
        )
        for fact in facts
    ]
    medians = dict(zip(sizes["class"], sizes["q50"], strict=True))
    told = (kilobytes(medians[name]) if name in medians else "none" for name in CLASS_NAMES)
    rows.append(("Median file size", *told, ""))
    return PageTable(
        "Files of the two classes compared",
        ("Fact", *(name.capitalize() for name in CLASS_NAMES), "Apart"),
        tuple(rows),
        numbers=frozenset({3}),
        marked=frozenset(place for place, fact in enumerate(facts) if fact.differs),
        note="Apart: the share of one class that would have to change for both to be alike. Rows "
        "in colour differ by more than chance. All values are in formats.csv.",
    )


def _detail(table: pd.DataFrame, file: str, title: str, empty: str) -> PageTable:
    if table.empty:
        return PageTable(title, (), (), note=empty)
    shown = table.head(MOST_ROWS)
    if file == "duplicates.csv":
        heads = ("First", "Second", "Kind", "Bits", "Splits", "Labels")
        rows, numbers, long = tuple(_duplicate_rows(shown)), frozenset({3}), frozenset({0, 1})
        return PageTable(title, heads, rows, numbers, long, note=_more(len(table), file))
    columns = tuple(name.capitalize() for name in shown.columns)
    rows = tuple(
        tuple(elided(str(cell), _LONG_PATH) or "-" for cell in row)
        for row in shown.itertuples(index=False)
    )
    long = frozenset(place for place, name in enumerate(shown.columns) if name in _LONG)
    return PageTable(title, columns, rows, long=long, note=_more(len(table), file))


def _duplicate_rows(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    for row in table.to_dict(orient="records"):
        yield (
            *(elided(str(row[f"{side}_path"]), _LONG_PATH) for side in ("first", "second")),
            str(row["kind"]),
            f"{row['distance']:,}",
            _both([row[f"{side}_split"] or "none" for side in ("first", "second")]),
            _both([row[f"{side}_label"] for side in ("first", "second")]),
        )


def _both(values: Sequence[str]) -> str:
    return str(values[0]) if values[0] == values[1] else f"{values[0]} / {values[1]}"


def _more(number: int, file: str) -> str:
    return f"{number - MOST_ROWS:,} more in {file}." if number > MOST_ROWS else ""
