"""The one page of an audit: verdict, numbers, pictures, tables, all within a single HTML file.

Every text passes through jinja2's autoescape: a file may be named anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image

from fakeface_bench.data.audit import Audit
from fakeface_bench.report.audit.page_tables import detailed_tables, overview_tables
from fakeface_bench.report.audit.pairs import PairGroup
from fakeface_bench.report.audit.summary import described, key_figures, split_told
from fakeface_bench.report.audit.verdict import Findings
from fakeface_bench.report.page import data_uri, page_environment
from fakeface_bench.visible import elided, visible

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
        page_environment("fakeface_bench.report.audit")
        .get_template("audit.html")
        .render(
            title=visible(audit.name),
            verdict=findings.verdict,
            weight=findings.weight,
            lead=described(audit, findings.counts),
            about=_about(audit, findings),
            figures=key_figures(findings.counts, audit.floor),
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
        ("Split", split_told(audit, findings.counts)),
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
