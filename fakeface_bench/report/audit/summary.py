"""An audit in a few lines: metrics for MLflow, text for its description, rows for a terminal."""

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.layout import SPLITS
from fakeface_bench.records import ShortcutFloor
from fakeface_bench.report.audit.counts import BOTH_LABELS, COPY, Counts, cell_name, count
from fakeface_bench.report.audit.findings import Findings, find, left_out_told, reasons_told
from fakeface_bench.report.audit.names import shortened
from fakeface_bench.report.markdown import escaped, table

#: A name of a dataset longer than this is cut in running text.
_LONGEST_NAME = 80


def audit_metrics(audit: Audit) -> dict[str, float]:
    """Return every single figure of an audit under its MLflow name."""
    counts = count(audit)
    figures: dict[str, float] = {
        "data/images": counts.images,
        "data/unreadable_images": counts.unreadable,
        "data/wrong_extensions": counts.wrong_extensions,
        "data/animated_images": counts.animated,
        "data/skipped_files": counts.skipped,
        "data/identical_pairs": counts.identical_within.pairs + counts.identical_across.pairs,
        "data/near_duplicate_pairs": counts.near_within.pairs + counts.near_across.pairs,
        "data/near_duplicates_across_splits": counts.near_across.pairs,
        "data/identical_across_splits": counts.identical_across.pairs,
        "data/conflicting_images": counts.left_out.get(BOTH_LABELS, 0),
        "data/leaks_removed": counts.left_out.get(COPY, 0),
    }
    figures |= {f"data/{cell_name(*cell)}_images": size for cell, size in counts.cells.items()}
    return {name: float(figure) for name, figure in (figures | _floor(audit.floor)).items()}


def audit_rows(audit: Audit) -> list[tuple[str, str]]:
    """Return (finding, value) of the main findings as text, the verdict first."""
    findings = find(audit)
    return [("verdict", findings.verdict), *_rows(findings.counts, audit.floor)]


def audit_markdown(audit: Audit) -> str:
    """Return verdict, findings by topic and main figures as markdown; names are escaped."""
    return findings_markdown(audit, find(audit))


def findings_markdown(audit: Audit, findings: Findings) -> str:
    """Return the same text for findings already made."""
    lines = [
        f"**{escaped(findings.verdict)}.**",
        escaped(described(audit, findings.counts)),
    ]
    for topic, some in findings.topics.items():
        lines += [f"### {topic}", "\n".join(f"- {escaped(finding.text)}" for finding in some)]
    rows = _rows(findings.counts, audit.floor)
    return "\n\n".join([*lines, "### Figures", table(("finding", "value"), rows)]) + "\n"


def described(audit: Audit, counts: Counts) -> str:
    """Say which dataset it is, what of it a study would use, and whose split it has."""
    whose = "made by the project" if audit.own_split else "the dataset's own"
    out = left_out_told(counts)
    parts = [
        f"{shortened(audit.name, _LONGEST_NAME)}: {counts.images:,} of {counts.found:,} images "
        "would be used",
        *([out] if out else []),
        f"the split is {whose}",
    ]
    return f"{'; '.join(parts)}."


def _rows(counts: Counts, floor: ShortcutFloor | None) -> list[tuple[str, str]]:
    sizes = [
        (
            f"{split}, {' / '.join(CLASS_NAMES)}",
            " / ".join(f"{n:,}" for n in counts.of_split(split)),
        )
        for split in SPLITS
    ]
    return [
        ("images used", f"{counts.images:,}"),
        *sizes,
        *((f"left out: {reason}", f"{number:,}") for reason, number in counts.left_out.items()),
        (
            "identical pairs, across splits",
            _of(counts.identical_across.pairs, counts.identical_within.pairs),
        ),
        (
            "near-duplicate pairs, across splits",
            _of(counts.near_across.pairs, counts.near_within.pairs),
        ),
        (
            "pairs with opposite labels",
            f"{counts.opposite_identical.pairs + counts.opposite_near.pairs:,}",
        ),
        ("wrong extensions", f"{counts.wrong_extensions:,}"),
        ("animations", f"{counts.animated:,}"),
        ("files skipped", f"{counts.skipped:,}"),
        ("shortcut ROC AUC", shortcut_told(floor)),
    ]


def key_figures(counts: Counts, floor: ShortcutFloor | None) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what to add) of the four figures to look at first."""
    across = counts.identical_across.pairs + counts.near_across.pairs
    within = counts.pairs - across
    return [
        (f"{counts.images:,}", "images used", f"of {counts.found:,} found"),
        (
            f"{sum(counts.left_out.values()):,}",
            "images left out",
            ", ".join(reasons_told(counts)) or "all are used",
        ),
        (f"{across:,}", "duplicate pairs across splits", f"{within:,} more within a split"),
        _floor_figure(floor),
    ]


def _floor_figure(floor: ShortcutFloor | None) -> tuple[str, str, str]:
    if floor is None:
        return "–", "shortcut ROC AUC", "too few images to measure"
    interval = f"95 % {floor.low_95:.3f} to {floor.high_95:.3f}"
    return f"{floor.roc_auc:.3f}", "shortcut ROC AUC", interval


def shortcut_told(floor: ShortcutFloor | None) -> str:
    """Show the floor with its interval, or that there is none."""
    if floor is None:
        return "not measured"
    return f"{floor.roc_auc:.3f} (95 % {floor.low_95:.3f} to {floor.high_95:.3f})"


def _of(across: int, within: int) -> str:
    return f"{across:,} of {across + within:,}"


def _floor(floor: ShortcutFloor | None) -> dict[str, float]:
    if floor is None:
        return {}
    return {
        "data/shortcut_auc": floor.roc_auc,
        "data/shortcut_auc_low_95": floor.low_95,
        "data/shortcut_auc_high_95": floor.high_95,
    }
