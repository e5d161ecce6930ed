"""What an audit means for a study: all findings by topic, and the verdict that follows."""

from dataclasses import dataclass

from fakeface_bench.data.audit import Audit
from fakeface_bench.data.selection import BOTH_LABELS, HELD_OUT_COPY, UNREADABLE
from fakeface_bench.report.audit.class_comparison import Fact, facts_of
from fakeface_bench.report.audit.comparison_findings import comparison_findings
from fakeface_bench.report.audit.counts import Counts, count
from fakeface_bench.report.audit.duplicate_findings import duplicate_findings
from fakeface_bench.report.audit.finding import Finding, Weight, listed
from fakeface_bench.report.audit.image_findings import image_findings
from fakeface_bench.report.audit.shortcut_findings import reserve, shortcut_findings
from fakeface_bench.report.wording import counted


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


def reasons_told(counts: Counts) -> list[str]:
    """Say how many images were left out for each reason: `4 unreadable`, `2 with both labels`."""
    return [
        f"{number:,} {_REASONS.get(reason, (reason, reason))[number != 1]}"
        for reason, number in counts.left_out.items()
    ]


def left_out_told(counts: Counts) -> str:
    """Say `6 images were left out: 4 unreadable and 2 with both labels`; empty where none was."""
    number = sum(counts.left_out.values())
    reasons = listed(reasons_told(counts))
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
