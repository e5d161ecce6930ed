"""Sentences on what files give away without their pixels, and on the shortcut it makes."""

from collections.abc import Iterator, Sequence

import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.records import ShortcutFloor
from fakeface_bench.report.audit.facts import Fact, fact_named
from fakeface_bench.report.audit.finding import Finding, listed
from fakeface_bench.report.audit.names import percent

#: From here on metadata discriminates "acceptably" and "outstandingly": Hosmer, Lemeshow &
#: Sturdivant (2013), "Applied logistic regression", chapter 5.
CLEAR, STRONG = 0.7, 0.9
#: An interval that wide leaves room for a shortcut worth knowing.
_WIDE = 0.1
#: Medians closer than this are called alike.
_ALIKE_SIZE = 0.02


def shortcut_findings(floor: ShortcutFloor | None) -> Iterator[Finding]:
    """Yield what is to be said of a classifier that sees no pixel."""
    if floor is None:
        yield Finding("note", "There are too few images to measure what file metadata gives away.")
        return
    text = (
        "A classifier that sees only file metadata tells the classes apart with ROC AUC "
        f"{_told(floor)} (95 % {_figure(floor.low_95)} to {_figure(floor.high_95)}, "
        f"{floor.images:,} images): "
    )
    if is_shortcut(floor):
        yield _shortcut(floor, text)
        return
    yield Finding("good", f"{text}not better than chance.")
    if floor.high_95 - floor.low_95 > _WIDE:
        yield Finding(
            "note",
            f"So few images leave room for a shortcut of up to ROC AUC {_figure(floor.high_95)}.",
        )


def is_shortcut(floor: ShortcutFloor | None) -> bool:
    """Say whether metadata alone does better than chance: the interval lies above 0.5."""
    return floor is not None and floor.low_95 > 0.5


def fact_findings(
    facts: tuple[Fact, ...], sizes: pd.Series, labels: pd.Series
) -> Iterator[Finding]:
    """Yield what is to be said of the facts of the files that a study would use.

    Args:
        facts: Of those files.
        sizes: Of the files in bytes.
        labels: Of the files.
    """
    told = [fact for fact in facts if len(fact.counts)]
    same = [words for fact in told if (words := _the_same(fact))]
    if same:
        yield Finding("good", f"All images share: {', '.join(same)}.")
    if (jpeg := fact_named(facts, "quantisation")).counts.size and len(jpeg.counts) > 1:
        yield _quantisation(jpeg)
    yield from (_differing(fact) for fact in told if fact.differs and fact is not jpeg)
    alike = [fact.name for fact in told if len(fact.counts) > 1 and not fact.differs]
    if alike := [name for name in alike if name != jpeg.name]:
        yield Finding("good", f"The same mix in both classes: {listed(alike)}.")
    if labels.nunique() == 2:
        yield _file_size(sizes, labels)


def _shortcut(floor: ShortcutFloor, text: str) -> Finding:
    size = next(
        word
        for limit, word in ((STRONG, "strong "), (CLEAR, ""), (0.0, "slight "))
        if floor.roc_auc >= limit
    )
    strongest = max(floor.alone.items(), key=lambda item: item[1], default=None)
    alone = f"; strongest alone: {strongest[0]}, {_figure(strongest[1])}" if strongest else ""
    verdict = f"A {size}shortcut: file metadata alone reaches ROC AUC {_told(floor)}"
    meaning = "better than chance, so a test ROC AUC must be read against it"
    if floor.roc_auc >= STRONG:
        advice = "Bring both classes through one encoder, at one size, before a study."
        return Finding("bad", f"{text}{meaning}{alone}. {advice}", verdict)
    return Finding("care", f"{text}{meaning}{alone}.", verdict)


def _told(floor: ShortcutFloor) -> str:
    return _figure(floor.roc_auc)


def _figure(value: float) -> str:
    """Show two decimals, or three where two would hide on which side of chance it lies."""
    return f"{value:.2f}" if f"{value:.2f}" != "0.50" or value == 0.5 else f"{value:.3f}"


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
    real, fake = (float(fact.shares[name].to_dict()[fact.most_telling]) for name in CLASS_NAMES)
    is_there = fact.most_telling == "yes"
    what = fact.name if is_there else f"{fact.name} {fact.most_telling}"
    verb = "are" if fact.key == "progressive" else "have"
    return Finding(
        "care",
        f"The classes differ in {fact.name}: {percent(real)} of the reals and "
        f"{percent(fake)} of the fakes {verb} {what}.",
    )


def _file_size(sizes: pd.Series, labels: pd.Series) -> Finding:
    real, fake = sizes.groupby(labels).median().sort_index()
    told = f"median {kilobytes(fake)} against {kilobytes(real)}"
    if abs(fake - real) <= _ALIKE_SIZE * real:
        return Finding("good", f"File sizes are alike: {told}.")
    word = "larger" if fake > real else "smaller"
    apart = (
        percent(abs(fake / real - 1)) if fake < 2 * real else f"{fake / real:.1f} times as large"
    )
    compared = apart if fake >= 2 * real else f"{apart} {word}"
    return Finding("note", f"Fake files are {compared}: {told}.")


def kilobytes(size: float) -> str:
    """Show a size in kB of 1000 bytes."""
    return f"{size / 1000:,.1f} kB"


def shares_told(fact: Fact, class_name: str, most: int = 2) -> str:
    """Name the most frequent values of a class with their shares, and how many more there are."""
    counts = fact.counts[class_name]
    present = counts[counts > 0].sort_values(ascending=False, kind="stable")
    shown: Sequence[str] = [
        f"{value} {percent(number / present.sum())}" for value, number in present.head(most).items()
    ]
    more = [f"{len(present) - most:,} more"] if len(present) > most else []
    return ", ".join([*shown, *more]) or "none"
