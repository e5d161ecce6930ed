"""Sentences on how the files of the two classes differ, or do not, without their pixels."""

from collections.abc import Iterator, Sequence

import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.report.audit.class_comparison import Fact, fact_named
from fakeface_bench.report.audit.finding import Finding, listed
from fakeface_bench.report.wording import percent

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
