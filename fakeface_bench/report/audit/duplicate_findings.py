"""Sentences on the duplicates of an audit: do they leak into test, do they carry both labels?"""

from collections.abc import Iterator

from fakeface_bench.report.audit.counts import BOTH_LABELS, Counts, PairCounts
from fakeface_bench.report.audit.finding import Finding, per_split
from fakeface_bench.report.audit.names import counted


def duplicate_findings(counts: Counts, own_split: bool) -> Iterator[Finding]:
    """Yield what is to be said of duplicates, those that spoil a test first."""
    if not counts.pairs:
        yield Finding(
            "good", "No duplicates found: no two images are identical, similar or mirrored."
        )
        return
    across = (
        (counts.identical_across, "identical images"),
        (counts.near_across, "near-duplicates"),
    )
    yield from (_across(some, what) for some, what in across if some.pairs)
    if not any(some.pairs for some, _ in across):
        yield Finding("good", f"No duplicates stand in different splits{_kept(own_split)}.")
    yield from _opposite(counts)
    within = (
        (counts.identical_within, "identical images"),
        (counts.near_within, "near-duplicates"),
    )
    yield from (_within(some, what) for some, what in within if some.pairs)


def _kept(own_split: bool) -> str:
    return ": the split made here keeps them together" if own_split else ""


def _across(some: PairCounts, what: str) -> Finding:
    """Say how many pairs a split divides, and whether they would still leak into a study."""
    text = f"{counted(some.pairs, 'pair')} of {what} {_stand(some.pairs)} in different splits"
    leaving = sum(some.leaving.values())
    if leaving:
        images, leave = ("image", "leaves") if leaving == 1 else ("images", "leave")
        text += f"; the {per_split(some.leaving)} {images} among them {leave} before a study"
    if not some.both_used:
        return Finding("care", f"{text}.")
    kept = counted(some.both_used, "pair")
    text += f"; {kept} would be used whole, and the figures on held-out images would be too high"
    return Finding("bad", f"{text}.", f"Not fit for a study: {kept} of {what} would leak")


def _within(some: PairCounts, what: str) -> Finding:
    text = f"{counted(some.pairs, 'pair')} of {what} {_stand(some.pairs)} within one split"
    return Finding("note", f"{text}: no leak, but fewer different pictures than images.")


def _stand(pairs: int) -> str:
    return "stands" if pairs == 1 else "stand"


def _opposite(counts: Counts) -> Iterator[Finding]:
    if counts.opposite_identical.pairs:
        pairs = counted(counts.opposite_identical.pairs, "pair")
        carry = "carries" if counts.opposite_identical.pairs == 1 else "carry"
        number = counts.left_out.get(BOTH_LABELS, 0)
        images = f"{counted(number, 'image')} {'is' if number == 1 else 'are'}"
        yield Finding(
            "care",
            f"{pairs} of identical images {carry} both labels, so nobody knows which is right; "
            f"{images} left out for it.",
        )
    if counts.opposite_near.pairs:
        number = counts.opposite_near.pairs
        what = "looks alike but carries" if number == 1 else "look alike but carry"
        yield Finding(
            "care",
            f"{counted(number, 'pair')} {what} opposite labels: a fake made from that very "
            "photograph, or a wrong label; a look at them tells.",
        )
