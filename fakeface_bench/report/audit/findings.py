"""What an audit means for a study: all findings by topic, and the verdict that follows."""

from dataclasses import dataclass

from fakeface_bench.data.audit import Audit
from fakeface_bench.report.audit.counts import BOTH_LABELS, COPY, UNREADABLE, Counts, count, used
from fakeface_bench.report.audit.duplicate_findings import duplicate_findings
from fakeface_bench.report.audit.fact_findings import fact_findings, shortcut_findings
from fakeface_bench.report.audit.facts import Fact, facts_of
from fakeface_bench.report.audit.finding import Finding, Weight, listed
from fakeface_bench.report.audit.image_findings import image_findings
from fakeface_bench.report.audit.names import counted


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
    files = used(audit)
    facts = facts_of(files)
    topics = {
        "Images": tuple(image_findings(audit, counts)),
        "Shortcut": tuple(shortcut_findings(audit.floor)),
        "Duplicates": tuple(duplicate_findings(counts, audit.own_split)),
        "Files": tuple(fact_findings(facts, files["size"], files["label"])),
    }
    verdict, weight = _verdict(topics, counts, audit.floor is not None)
    return Findings(counts, facts, verdict, weight, topics)


#: Reasons for leaving images out as running text has them, of one image and of several.
_REASONS = {
    UNREADABLE: (UNREADABLE, UNREADABLE),
    BOTH_LABELS: ("with both labels", "with both labels"),
    COPY: (COPY, "copies of held-out images"),
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
    topics: dict[str, tuple[Finding, ...]], counts: Counts, measured: bool
) -> tuple[str, Weight]:
    """Let the gravest finding speak; where none speaks the dataset is fit."""
    speaking = [finding for some in topics.values() for finding in some if finding.verdict]
    for weight in ("bad", "care"):
        for finding in speaking:
            if finding.weight == weight:
                return finding.verdict, finding.weight
    unmeasured = "" if measured else "; shortcuts were not measured"
    number = sum(counts.left_out.values())
    if number:
        was = "was" if number == 1 else "were"
        return f"Fit, after {counted(number, 'image')} {was} left out{unmeasured}", "good"
    return f"Fit for a study{unmeasured}", "good" if measured else "note"
