"""An audit in words and figures: its verdict, metrics for MLflow, rows for a terminal."""

from dataclasses import dataclass

from fakeface_bench.analysis.audit import Counts, Fact, PairCounts, cell_name, count, facts_of
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.selection import BOTH_LABELS, HELD_OUT_COPY, UNREADABLE
from fakeface_bench.records.study import ShortcutFloor
from fakeface_bench.report.audit_findings import (
    Finding,
    Weight,
    comparison_findings,
    duplicate_findings,
    image_findings,
    listed,
    reserve,
    shortcut_findings,
)
from fakeface_bench.report.format import counted, escaped, found
from fakeface_bench.report.table import Table
from fakeface_bench.support.text import elided


@dataclass(frozen=True)
class Findings:
    """All that is said of an audit.

    Attributes:
        counts: The figures.
        facts: Of the files that a study would use.
        verdict: One line, without a full stop.
        weight: Of the verdict.
        topics: Findings by topic, in the order in which they are told.
    """

    counts: Counts
    facts: tuple[Fact, ...]
    verdict: str
    weight: Weight
    topics: dict[str, tuple[Finding, ...]]


def find(audit: Audit) -> Findings:
    """Judge an audit."""
    counts = count(audit)
    files = audit.used
    facts = facts_of(files)
    own_split = set(audit.own_split) >= audit.folders.keys()
    topics = {
        "Images": tuple(image_findings(audit, counts)),
        "Shortcut": tuple(shortcut_findings(audit)),
        "Duplicates": tuple(duplicate_findings(counts, own_split)),
        "Files": tuple(comparison_findings(facts, files["size"], files["label"])),
    }
    verdict, weight = _verdict(topics, counts, reserve(audit.floor))
    return Findings(counts, facts, verdict, weight, topics)


#: Reasons for leaving images out as running text has them, of one image and of several.
_REASONS = {
    UNREADABLE: (UNREADABLE, UNREADABLE),
    BOTH_LABELS: ("with both labels", "with both labels"),
    HELD_OUT_COPY: (HELD_OUT_COPY, "copies of held-out images"),
}


def format_reasons(counts: Counts) -> list[str]:
    """Say how many images were left out for each reason: `4 unreadable`, `2 with both labels`."""
    return [
        f"{number:,} {_REASONS.get(reason, (reason, reason))[number != 1]}"
        for reason, number in counts.left_out.items()
    ]


def format_left_out(counts: Counts) -> str:
    """Say `6 images were left out: 4 unreadable and 2 with both labels`; empty where none was."""
    number = sum(counts.left_out.values())
    reasons = listed(format_reasons(counts))
    was = "was" if number == 1 else "were"
    return f"{counted(number, 'image')} {was} left out: {reasons}" if number else ""


def _verdict(
    topics: dict[str, tuple[Finding, ...]], counts: Counts, reserved: str
) -> tuple[str, Weight]:
    """Let the gravest finding speak; where none speaks the dataset is fit."""
    speaking = [finding for some in topics.values() for finding in some if finding.verdict]
    for gravest in ("bad", "care"):
        for finding in speaking:
            if finding.weight == gravest:
                return finding.verdict, finding.weight
    weight: Weight = "note" if reserved else "good"
    number = sum(counts.left_out.values())
    if number:
        was = "was" if number == 1 else "were"
        return f"Fit, after {counted(number, 'image')} {was} left out{reserved}", weight
    return f"Fit for a study{reserved}", weight


#: A name of a dataset longer than this is cut in running text.
_LONGEST_NAME = 80


def audit_metrics(audit: Audit) -> dict[str, float]:
    """Return every single figure of an audit under its MLflow name."""
    counts = count(audit)
    metrics: dict[str, float] = {
        "data/images": counts.images,
        "data/unreadable_images": counts.unreadable,
        "data/wrong_extensions": counts.wrong_extensions,
        "data/animated_images": counts.animated,
        "data/skipped_files": counts.skipped,
        "data/identical_pairs": counts.identical.pairs,
        "data/near_duplicate_pairs": counts.near.pairs,
        "data/near_duplicates_across_splits": counts.near_across.pairs,
        "data/identical_across_splits": counts.identical_across.pairs,
        "data/manipulated_pairs": counts.manipulated.pairs,
        "data/conflicting_images": counts.left_out.get(BOTH_LABELS, 0),
        "data/leaks_removed": counts.left_out.get(HELD_OUT_COPY, 0),
    }
    metrics |= {f"data/{cell_name(*cell)}_images": size for cell, size in counts.cells.items()}
    return {name: float(figure) for name, figure in (metrics | _floors(audit)).items()}


def audit_rows(audit: Audit) -> list[tuple[str, str]]:
    """Return (finding, value) of the main findings as text, the verdict first."""
    findings = find(audit)
    return [("verdict", findings.verdict), *_rows(audit, findings.counts)]


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
    table = Table.of(("finding", "value"), _rows(audit, findings.counts)).markdown()
    return "\n\n".join([*lines, "### Figures", table]) + "\n"


def described(audit: Audit, counts: Counts) -> str:
    """Say which dataset it is, what of it a study would use, and whose split it has."""
    out = format_left_out(counts)
    would = "are not left out" if counts.unsplit else "would be used"
    parts = [
        f"{elided(audit.name, _LONGEST_NAME)}: {counts.images:,} of {counts.found:,} images "
        f"{would}",
        *([out] if out else []),
        f"the split {_whose(audit, counts, in_sentence=True)}{_drawn(audit)}",
    ]
    return f"{'; '.join(parts)}."


def format_split(audit: Audit, counts: Counts) -> str:
    """Say whose split it is: `made by the project for ciplab, official for 140k`."""
    return f"{_whose(audit, counts, in_sentence=False)}{_drawn(audit)}"


def _drawn(audit: Audit) -> str:
    """Say which splits are not official where others are."""
    names = {missing: None for donors in audit.drawn.values() for missing in donors}
    return f", save {listed(list(names))}, made by the project" if names else ""


def _whose(audit: Audit, counts: Counts, in_sentence: bool) -> str:
    made = {source for source in audit.own_split if source not in counts.unsplit}
    sources = {
        "could not be made": [source for source in audit.folders if source in counts.unsplit],
        "made by the project": [source for source in audit.folders if source in made],
        "official": [s for s in audit.folders if s not in made and s not in counts.unsplit],
    }
    verb = {"could not be made": "", "made by the project": "was ", "official": "is "}
    own = "the dataset's own" if len(audit.folders) == 1 else "each dataset's own"
    there = [whose for whose, names in sources.items() if names]
    parts = [
        (verb[whose] if in_sentence else "")
        + (own if whose == "official" and len(there) == 1 else whose)
        + (f" for {_names(sources[whose])}" if len(there) > 1 else "")
        for whose in there
    ]
    return listed(parts) if in_sentence else ", ".join(parts)


def _names(sources: list[str]) -> str:
    return listed([elided(source, _LONGEST_NAME) for source in sources])


def _rows(audit: Audit, counts: Counts) -> list[tuple[str, str]]:
    of_split = {split: counts.of_split(split) for split in SPLITS}
    of_split |= {f"no split for {source}": sizes for source, sizes in counts.unsplit.items()}
    sizes = [
        (f"{split}, {' / '.join(CLASS_NAMES)}", f"{real:,} / {fake:,}")
        for split, (real, fake) in of_split.items()
    ]
    floors = {"": audit.floor, **{f", {name}": of for name, of in audit.source_floors.items()}}
    return [
        (_images(counts), f"{counts.images:,}"),
        *sizes,
        *((f"left out: {reason}", f"{number:,}") for reason, number in counts.left_out.items()),
        (
            "identical pairs, across splits",
            _of(counts.identical_across, counts.identical),
        ),
        (
            "near-duplicate pairs, across splits",
            _of(counts.near_across, counts.near),
        ),
        (
            "identical pairs with both labels",
            found(counts.contradicting.pairs, counts.contradicting.at_least),
        ),
        (
            "manipulations with their originals",
            found(counts.manipulated.pairs, counts.manipulated.at_least),
        ),
        ("wrong extensions", f"{counts.wrong_extensions:,}"),
        ("animations", f"{counts.animated:,}"),
        ("files skipped", f"{counts.skipped:,}"),
        *((f"shortcut ROC AUC{where}", format_shortcut(floor)) for where, floor in floors.items()),
    ]


def key_metrics(counts: Counts, floor: ShortcutFloor | None) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what to add) of the four figures to look at first."""
    across = _together(counts.identical_across, counts.near_across)
    every = _together(counts.identical, counts.near)
    return [
        (f"{counts.images:,}", _images(counts), f"of {counts.found:,} found"),
        (
            f"{sum(counts.left_out.values()):,}",
            "images left out",
            ", ".join(format_reasons(counts)) or "every image can be used",
        ),
        (across, "duplicate pairs across splits", f"of {every} in all"),
        _floor_figure(floor),
    ]


def _floor_figure(floor: ShortcutFloor | None) -> tuple[str, str, str]:
    if floor is None:
        return "–", "shortcut ROC AUC", "too few images to measure"
    interval = f"95 % {floor.low_95:.3f} to {floor.high_95:.3f}"
    return f"{floor.roc_auc:.3f}", "shortcut ROC AUC", interval


def format_shortcut(floor: ShortcutFloor | None) -> str:
    """Show the floor with its interval, or that there is none."""
    if floor is None:
        return "not measured"
    return f"{floor.roc_auc:.3f} (95 % {floor.low_95:.3f} to {floor.high_95:.3f})"


def _of(across: PairCounts, every: PairCounts) -> str:
    return f"{found(across.pairs, across.at_least)} of {found(every.pairs, every.at_least)}"


def _together(one: PairCounts, other: PairCounts) -> str:
    return found(one.pairs + other.pairs, one.at_least or other.at_least)


def _images(counts: Counts) -> str:
    return "images not left out" if counts.unsplit else "images used"


def _floors(audit: Audit) -> dict[str, float]:
    floors = {} if audit.floor is None else {"data": audit.floor}
    floors |= {f"data/{source}": floor for source, floor in audit.source_floors.items()}
    return {
        f"{place}/shortcut_auc{end}": figure
        for place, floor in floors.items()
        for end, figure in (
            ("", floor.roc_auc),
            ("_low_95", floor.low_95),
            ("_high_95", floor.high_95),
        )
    }
