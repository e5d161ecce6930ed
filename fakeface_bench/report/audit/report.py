"""All files of a dataset's audit, in the folders they have as MLflow artifacts."""

from pathlib import Path

import pandas as pd

from fakeface_bench.data.audit import Audit
from fakeface_bench.report.audit import tables as tables_of
from fakeface_bench.report.audit.charts import (
    draw_dimensions,
    draw_file_sizes,
    draw_quantisation,
    draw_shortcut,
)
from fakeface_bench.report.audit.class_comparison import Fact, fact_named
from fakeface_bench.report.audit.page import CHARTS, Pictures, write_page
from fakeface_bench.report.audit.pairs import PAIR_PICTURES, PairGroup, draw_pairs, pair_groups
from fakeface_bench.report.audit.summary import findings_markdown
from fakeface_bench.report.audit.verdict import Findings, find
from fakeface_bench.visible import elided

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
        tables_of.write_table(table, folder / name)
    audit.files.to_parquet(folder / "files.parquet")
    pictures = _draw(audit, findings, folder / "pictures")
    text = findings_markdown(audit, findings)
    (folder / "audit.md").write_text(text, encoding="utf-8")
    write_page(audit, findings, pictures, tables, folder / "audit.html")


def _tables(audit: Audit, findings: Findings) -> dict[str, pd.DataFrame]:
    return {
        "balance.csv": tables_of.balance(audit),
        "formats.csv": tables_of.formats(findings.facts),
        "quantisation.csv": tables_of.quantisation(audit),
        "file_sizes.csv": tables_of.file_sizes(audit),
        "duplicates.csv": tables_of.duplicates(audit),
        "problems.csv": tables_of.problems(audit),
        "left_out.csv": tables_of.left_out(audit),
        "shortcut.csv": tables_of.shortcut(audit.floor, audit.source_floors),
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
