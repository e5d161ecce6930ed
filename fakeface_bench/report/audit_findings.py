"""Findings of an audit, by topic: how the classes differ, duplicates, images and shortcuts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal

import pandas as pd

from fakeface_bench.analysis.audit import Counts, Fact, PairCounts, fact_named
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.selection import (
    BOTH_LABELS,
    MAX_UNREADABLE,
    UNREADABLE,
    too_few,
    unreadable_shares,
)
from fakeface_bench.records.study import ShortcutFloor
from fakeface_bench.report.audit_tables import strongest_first
from fakeface_bench.report.format import counted, percent
from fakeface_bench.support.text import elided, visible

#: `good`: nothing to do. `note`: worth knowing. `care`: read a study's figures with it in mind.
#: `bad`: to be put right before a study.
Weight = Literal["good", "note", "care", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of the report.

    Attributes:
        weight: How much it matters.
        text: Whole sentences; may hold names from outside, made visible but not escaped.
        verdict: The headline where this is the gravest finding; empty where it makes none.
    """

    weight: Weight
    text: str
    verdict: str = ""


def listed(parts: Sequence[str]) -> str:
    """Join parts as `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def per_split(numbers: Mapping[str, int]) -> str:
    """Say `5 train and 1 valid`."""
    return listed([f"{number:,} {split}" for split, number in numbers.items()])


#: Medians closer than this are called alike.
_ALIKE_SIZE = 0.02


def comparison_findings(
    facts: tuple[Fact, ...], sizes: pd.Series, labels: pd.Series
) -> Iterator[Finding]:
    """Yield what is to be said of the facts of the files that a study would use.

    Args:
        facts: Of those files.
        sizes: Of the files in bytes.
        labels: Of the files.
    """
    description = [fact for fact in facts if len(fact.counts)]
    same = [words for fact in description if (words := _the_same(fact))]
    if same:
        yield Finding("good", f"All images share: {', '.join(same)}.")
    if (jpeg := fact_named(facts, "quantisation")).counts.size and len(jpeg.counts) > 1:
        yield _quantisation(jpeg)
    yield from (_differing(fact) for fact in description if fact.differs and fact is not jpeg)
    alike = [fact.name for fact in description if len(fact.counts) > 1 and not fact.differs]
    if alike := [name for name in alike if name != jpeg.name]:
        yield Finding("good", f"The same mix in both classes: {listed(alike)}.")
    if labels.nunique() == 2:
        yield _file_size(sizes, labels)


def _the_same(fact: Fact) -> str:
    """Name the one value of a fact that does not vary; empty where it varies."""
    if len(fact.counts) != 1:
        return ""
    value = str(fact.counts.index[0])
    words = {
        "quantisation": "one JPEG quantisation table",
        "progressive": "progressive JPEG" if value == "yes" else "baseline JPEG",
        "exif": "EXIF data" if value == "yes" else "no EXIF data",
        "icc": "an ICC profile" if value == "yes" else "no ICC profile",
        "dimensions": f"{value} pixels",
        "subsampling": f"chroma {value}",
    }
    return words.get(fact.key, value)


def _quantisation(fact: Fact) -> Finding:
    """Compare how many tables each class uses, and how much of a class is told by them."""
    counts = fact.counts
    reals, fakes = (int((counts[name] > 0).sum()) for name in ("real", "fake"))
    tables = "table" if fakes == 1 else "tables"
    text = f"Fakes use {fakes:,} quantisation {tables}, reals {reals:,}."
    for name, other in (("fake", "real"), ("real", "fake")):
        alone = counts.loc[counts[other] == 0, name].sum() / max(1, counts[name].sum())
        if 0 < alone and counts[other].sum():
            text += f" {percent(alone)} of the {name}s have a table that no {other} has."
    return Finding("care" if fact.differs else "note", text)


def _differing(fact: Fact) -> Finding:
    real, fake = (float(fact.shares[name].to_dict()[fact.strongest]) for name in CLASS_NAMES)
    is_there = fact.strongest == "yes"
    what = fact.name if is_there else f"{fact.name} {fact.strongest}"
    verb = "are" if fact.key == "progressive" else "have"
    return Finding(
        "care",
        f"The classes differ in {fact.name}: {percent(real)} of the reals and "
        f"{percent(fake)} of the fakes {verb} {what}.",
    )


def _file_size(sizes: pd.Series, labels: pd.Series) -> Finding:
    real, fake = sizes.groupby(labels).median().sort_index()
    description = f"median {kilobytes(fake)} against {kilobytes(real)}"
    if abs(fake - real) <= _ALIKE_SIZE * real:
        return Finding("good", f"File sizes are alike: {description}.")
    word = "larger" if fake > real else "smaller"
    apart = (
        percent(abs(fake / real - 1)) if fake < 2 * real else f"{fake / real:.1f} times as large"
    )
    compared = apart if fake >= 2 * real else f"{apart} {word}"
    return Finding("note", f"Fake files are {compared}: {description}.")


def kilobytes(size: float) -> str:
    """Show a size in kB of 1000 bytes."""
    return f"{size / 1000:,.1f} kB"


def format_shares(fact: Fact, class_name: str, most: int = 2) -> str:
    """Name the most frequent values of a class with their shares, and how many more there are."""
    counts = fact.counts[class_name]
    present = counts[counts > 0].sort_values(ascending=False, kind="stable")
    shown: Sequence[str] = [
        f"{value} {percent(number / present.sum())}" for value, number in present.head(most).items()
    ]
    more = [f"{len(present) - most:,} more"] if len(present) > most else []
    return ", ".join([*shown, *more]) or "none"


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


#: Half-width of the test interval above which two studies will rarely be told apart.
_WIDE_TEST_INTERVAL = 0.05
#: Of the name of a source in a sentence.
_LONGEST_PLACE = 60
#: A share of fakes this far from a half, or from another split's, is worth a warning.
_UNEVEN = 0.1


def image_findings(audit: Audit, counts: Counts) -> Iterator[Finding]:
    """Yield what is to be said of the classes' sizes and of files that make trouble."""
    if counts.unsplit:
        yield _unsplit(audit, counts)
    if not counts.unsplit or any(counts.cells.values()):
        yield _classes(counts)
    if all(counts.cells.values()) and not counts.unsplit:
        yield _balance(counts)
        yield _resolution(*counts.of_split("test"))
    yield from _drawn(audit)
    yield _unreadable(audit, counts)
    yield from _odd_files(audit, counts)


def half_width_95(real: int, fake: int, roc_auc: float = 0.8) -> float:
    """Return half the width of a 95 % interval of ROC AUC on so many images.

    Source: Hanley & McNeil (1982), "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", with their approximation for negative exponential scores.
    """
    two_fakes = roc_auc / (2 - roc_auc)
    two_reals = 2 * roc_auc**2 / (1 + roc_auc)
    variance = (
        roc_auc * (1 - roc_auc)
        + (fake - 1) * (two_fakes - roc_auc**2)
        + (real - 1) * (two_reals - roc_auc**2)
    ) / (real * fake)
    return NormalDist().inv_cdf(0.975) * sqrt(variance)


def _unsplit(audit: Audit, counts: Counts) -> Finding:
    """Say which sources hold too few different pictures for a split of their own, and of what."""
    names = listed([elided(source, _LONGEST_PLACE) for source in counts.unsplit])
    reals, fakes = (sum(sizes) for sizes in zip(*counts.unsplit.values(), strict=True))
    words = f"{names} could not be split"
    files = audit.used
    description = [too_few(files[files["source"] == source]) for source in counts.unsplit]
    return Finding(
        "bad",
        f"{words} into train, valid and test: of {reals:,} real and {fakes:,} fake images "
        f"{'; '.join(dict.fromkeys(description))}.",
        f"Not fit for a study: {words}",
    )


def _classes(counts: Counts) -> Finding:
    if not counts.images:
        words = "there is no image to use" if counts.found else "there are no images"
        return Finding("bad", f"{words.capitalize()}.", f"Not fit for a study: {words}")
    missing = list(_missing(counts))
    if missing:
        words = listed(missing)
        needs = "A study needs real and fake images in train, valid and test."
        first = words[0].upper() + words[1:]
        return Finding("bad", f"{first} image. {needs}", f"Not fit for a study: {words} image")
    sizes = [f"{split} {sum(counts.of_split(split)):,}" for split in SPLITS]
    return Finding("good", f"A study would use {counted(counts.images, 'image')}: {listed(sizes)}.")


def _missing(counts: Counts) -> Iterator[str]:
    for split in SPLITS:
        empty = [
            CLASS_NAMES[label] for label, size in enumerate(counts.of_split(split)) if not size
        ]
        if empty:
            yield f"{split} holds no {' or '.join(empty)}"


def _balance(counts: Counts) -> Finding:
    shares = {
        split: fake / (real + fake) for split in SPLITS for real, fake in [counts.of_split(split)]
    }
    low, high = min(shares.values()), max(shares.values())
    description = listed([f"{percent(share)} of {split}" for split, share in shares.items()])
    if high - low > _UNEVEN:
        advice = "a threshold chosen on one split does not carry over to another"
        return Finding("care", f"The splits differ in balance: fakes are {description}; {advice}.")
    if max(abs(low - 0.5), abs(high - 0.5)) > _UNEVEN:
        advice = "accuracy flatters a network that favours the larger class; read ROC AUC"
        return Finding("care", f"The classes are uneven: fakes are {description}; {advice}.")
    return Finding("good", f"The classes are balanced: fakes are {description}.")


def _resolution(real: int, fake: int) -> Finding:
    half = half_width_95(real, fake)
    text = (
        f"Test holds {real:,} real and {fake:,} fake images: a ROC AUC near 0.80 will be known to "
        f"± {half:.{2 if half >= 0.01 else 3}f} (95 %)"
    )
    if half <= _WIDE_TEST_INTERVAL:
        return Finding("note", f"{text}.")
    return Finding("care", f"{text}; smaller differences between networks cannot be told.")


def _drawn(audit: Audit) -> Iterator[Finding]:
    """Say which splits are missing in an official one, and what they are drawn from."""
    for source, donors in audit.drawn.items():
        for missing, donor in donors.items():
            text = (
                f"{elided(source, _LONGEST_PLACE)} has no labelled {missing} split: it is drawn "
                f"from {donor}, copies kept together"
            )
            if missing != "test":
                yield Finding("note", f"{text}.")
            else:
                more = "test figures are not those of a published protocol"
                yield Finding("care", f"{text}; {more}.")


def _unreadable(audit: Audit, counts: Counts) -> Finding:
    if not counts.unreadable:
        return Finding("good", "Every image can be read.")
    shares = unreadable_shares(audit.files)
    worst, share = elided(str(shares.idxmax()), _LONGEST_PLACE), float(shares.max())
    number = counted(counts.unreadable, "image")
    if share > MAX_UNREADABLE:
        words = f"{100 * share:.1f} % of the images of {worst} cannot be read"
        text = (
            f"{words}, more than {percent(MAX_UNREADABLE)}: fetch or convert them anew. ({number} "
            f"in all; the first: {visible(_first_error(audit))}.)"
        )
        return Finding("bad", text, f"Not fit for a study: {words}")
    return Finding("care", f"{number} cannot be read, and {_is(counts.unreadable)} left out.")


def _first_error(audit: Audit) -> str:
    return str(audit.files.loc[audit.files["left_out"] == UNREADABLE, "error"].iloc[0])


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _odd_files(audit: Audit, counts: Counts) -> Iterator[Finding]:
    if number := counts.wrong_extensions:
        files = counted(number, "file")
        own = "its name says; it is" if number == 1 else "their names say; they are"
        verb = "holds" if number == 1 else "hold"
        yield Finding("care", f"{files} {verb} another format than {own} read by content.")
    if number := counts.animated:
        what = "animation is" if number == 1 else "animations are"
        yield Finding("care", f"{number:,} {what} used by the first frame alone.")
    if number := counts.skipped:
        reasons = audit.skipped["reason"].value_counts().head(3)
        description = listed(
            [f"{times:,} × {visible(str(reason))}" for reason, times in reasons.items()]
        )
        more = ", among others" if audit.skipped["reason"].nunique() > len(reasons) else ""
        what = "path was" if number == 1 else "paths were"
        yield Finding("note", f"{number:,} {what} not read as an image: {description}{more}.")


#: From here on metadata discriminates "acceptably" and "outstandingly": Hosmer, Lemeshow &
#: Sturdivant (2013), "Applied logistic regression", chapter 5.
CLEAR, STRONG = 0.7, 0.9
#: Below it a shortcut, however sure, is too small to speak in a verdict.
SLIGHT = 0.55
#: An interval that wide leaves room for a shortcut worth knowing.
_WIDE_FLOOR_INTERVAL = 0.1
#: Of a source's name in a sentence.
_LONGEST_SOURCE = 40
_BELOW_CHANCE = "below chance: not interpretable"


def shortcut_findings(audit: Audit) -> Iterator[Finding]:
    """Yield what is to be said of a classifier that sees no pixel: of the whole, of each source."""
    floor = audit.floor
    if floor is None:
        yield Finding("note", "There are too few images to measure what file metadata gives away.")
    else:
        yield from _of_all(floor)
    names = {source: elided(source, _LONGEST_SOURCE) for source in audit.folders}
    measured = [source for source in names if source in audit.source_floors]
    yield from (_of_source(names[source], audit.source_floors[source]) for source in measured)
    if measured and (few := [names[source] for source in names if source not in measured]):
        yield Finding("note", f"Too few images to measure alone: {listed(few)}.")


def reserve(floor: ShortcutFloor | None) -> str:
    """Say what a verdict cannot tell of shortcuts; empty where the floor was measured well."""
    if floor is None:
        return "; shortcuts were not measured"
    if floor.high_95 < 0.5:
        return "; the shortcut measured is below chance"
    return ""


def _of_all(floor: ShortcutFloor) -> Iterator[Finding]:
    text = (
        "A classifier that sees only file metadata tells the classes apart with ROC AUC "
        f"{_figure(floor.roc_auc)} (95 % over cross-validation folds {_interval(floor)}; "
        f"{floor.images:,} pictures): "
    )
    if floor.low_95 > 0.5:
        strongest = strongest_first(floor)[:1]
        alone = "".join(f"; strongest alone: {name}, {_figure(of)}" for name, of in strongest)
        meaning = "better than chance, so a test ROC AUC must be read against it"
        yield _shortcut(floor, f"{text}{meaning}{alone}.")
    elif floor.high_95 < 0.5:
        yield Finding("note", f"{text}{_BELOW_CHANCE}.")
    else:
        yield Finding("good", f"{text}not better than chance.")
        if floor.high_95 - floor.low_95 > _WIDE_FLOOR_INTERVAL:
            room = f"a shortcut of up to ROC AUC {_figure(floor.high_95)}"
            yield Finding("note", f"So wide an interval leaves room for {room}.")


def _of_source(name: str, floor: ShortcutFloor) -> Finding:
    text = f"{name} alone: {_figure(floor.roc_auc)} ({_interval(floor)})"
    if floor.low_95 > 0.5:
        return _shortcut(floor, f"{text}, better than chance.", f" in {name}")
    if floor.high_95 < 0.5:
        return Finding("note", f"{text}, {_BELOW_CHANCE}.")
    return Finding("good", f"{text}, not better than chance.")


def _shortcut(floor: ShortcutFloor, text: str, where: str = "") -> Finding:
    size = next(
        word
        for limit, word in ((STRONG, "strong "), (CLEAR, ""), (0.0, "slight "))
        if floor.roc_auc >= limit
    )
    if floor.roc_auc < SLIGHT:
        return Finding("note", text)
    description = _figure(floor.roc_auc)
    verdict = f"A {size}shortcut{where}: file metadata alone reaches ROC AUC {description}"
    if floor.roc_auc < STRONG:
        return Finding("care", text, verdict)
    advice = "Bring both classes through one encoder, at one size, before a study."
    return Finding("bad", text if where else f"{text} {advice}", verdict)


def _interval(floor: ShortcutFloor) -> str:
    return f"{_figure(floor.low_95)} to {_figure(floor.high_95)}"


def _figure(value: float) -> str:
    """Show two decimals, or three where two would hide on which side of chance it lies."""
    return f"{value:.2f}" if f"{value:.2f}" != "0.50" or value == 0.5 else f"{value:.3f}"
