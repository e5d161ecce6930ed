"""Sentences on the duplicates of an audit: do they leak into test, do they carry both labels?"""

from collections.abc import Iterator

from fakeface_bench.data.selection import BOTH_LABELS
from fakeface_bench.report.audit.counts import Counts, PairCounts
from fakeface_bench.report.audit.finding import Finding, per_split
from fakeface_bench.report.wording import counted


def duplicate_findings(counts: Counts, own_split: bool) -> Iterator[Finding]:
    """Yield what is to be said of duplicates, those that spoil a test first.

    Args:
        counts: Of an audit.
        own_split: Whether the project made the whole split.
    """
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
    if number := counts.leaving_otherwise:
        leave = "leaves" if number == 1 else "leave"
        images = f"{counted(number, 'further image')} {leave}"
        yield Finding("care", f"{images}: a chain of copies leads to another split.")
    if not any(some.pairs for some, _ in across):
        yield Finding("good", f"No duplicates stand in different splits{_kept(own_split)}.")
    yield from _opposite(counts)
    within = (
        (counts.identical_within, "identical images"),
        (counts.near_within, "near-duplicates"),
    )
    yield from (_within(some, what) for some, what in within if some.pairs)
    yield from _unplaced(counts)


def _kept(own_split: bool) -> str:
    return ": the split made here keeps them together" if own_split else ""


def _pairs(some: PairCounts) -> str:
    words = counted(some.pairs, "pair", some.at_least)
    return words[0].upper() + words[1:]


def _across(some: PairCounts, what: str) -> Finding:
    """Say how many pairs a split divides, and whether they would still leak into a study."""
    text = f"{_pairs(some)} of {what} {_stand(some.pairs)} in different splits"
    leaving = sum(some.leaving.values())
    if leaving:
        images, leave = ("image", "leaves") if leaving == 1 else ("images", "leave")
        text += f"; the {per_split(some.leaving)} {images} among them {leave} before a study"
    if not some.both_used:
        return Finding("care", f"{text}.")
    kept = counted(some.both_used, "pair", some.at_least)
    text += f"; {kept} would be used whole, and the figures on held-out images would be too high"
    return Finding("bad", f"{text}.", f"Not fit for a study: {kept} of {what} would leak")


def _within(some: PairCounts, what: str) -> Finding:
    text = f"{_pairs(some)} of {what} {_stand(some.pairs)} within one split"
    return Finding("note", f"{text}: no leak, but fewer different pictures than images.")


def _unplaced(counts: Counts) -> Iterator[Finding]:
    """Say how many pairs are left that stand neither in two splits nor in one."""
    if number := counts.unplaced:
        which = "has" if number == 1 else "have"
        text = f"{counted(number, 'listed pair')} {which} an image that is in no split."
        yield Finding("note", text)


def _stand(pairs: int) -> str:
    return "stands" if pairs == 1 else "stand"


def _opposite(counts: Counts) -> Iterator[Finding]:
    wrong, made = counts.contradicting, counts.manipulated
    if wrong.pairs:
        carry = "carries" if wrong.pairs == 1 else "carry"
        yield Finding(
            "care",
            f"{_pairs(wrong)} of identical images {carry} both labels, so nobody knows which is "
            f"right.{_left_out(counts.left_out.get(BOTH_LABELS, 0))}",
        )
    if made.pairs:
        what = "looks alike but carries" if made.pairs == 1 else "look alike but carry"
        some = made.both_used < made.pairs
        used = "Both are used" + (f" of {made.both_used:,} such pairs" if some else "")
        used += ", in one split."
        yield Finding(
            "note",
            f"{_pairs(made)} {what} opposite labels: taken for a manipulation and its original, "
            f"not for an error. {used} A look at them tells.",
        )


def _left_out(number: int) -> str:
    """Say how many images are left out for a contradiction; nothing where none is."""
    if not number:
        return ""
    is_are = "is" if number == 1 else "are"
    return f" {counted(number, 'image')} {is_are} left out for it."
