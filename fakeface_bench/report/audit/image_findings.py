"""Sentences on the images of an audit: are there enough of both classes, and can they be read?"""

from collections.abc import Iterator
from math import sqrt
from statistics import NormalDist

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.left_out import MAX_UNREADABLE
from fakeface_bench.data.selection import UNREADABLE, unreadable_shares
from fakeface_bench.data.splits import too_few
from fakeface_bench.report.audit.counts import Counts
from fakeface_bench.report.audit.finding import Finding, listed
from fakeface_bench.report.wording import counted, percent
from fakeface_bench.visible import elided, visible

#: Half-width of the test interval above which two studies will rarely be told apart.
_WIDE = 0.05
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
    told = [too_few(files[files["source"] == source]) for source in counts.unsplit]
    return Finding(
        "bad",
        f"{words} into train, valid and test: of {reals:,} real and {fakes:,} fake images "
        f"{'; '.join(dict.fromkeys(told))}.",
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
    told = listed([f"{percent(share)} of {split}" for split, share in shares.items()])
    if high - low > _UNEVEN:
        advice = "a threshold chosen on one split does not carry over to another"
        return Finding("care", f"The splits differ in balance: fakes are {told}; {advice}.")
    if max(abs(low - 0.5), abs(high - 0.5)) > _UNEVEN:
        advice = "accuracy flatters a network that favours the larger class; read ROC AUC"
        return Finding("care", f"The classes are uneven: fakes are {told}; {advice}.")
    return Finding("good", f"The classes are balanced: fakes are {told}.")


def _resolution(real: int, fake: int) -> Finding:
    half = half_width_95(real, fake)
    text = (
        f"Test holds {real:,} real and {fake:,} fake images: a ROC AUC near 0.80 will be known to "
        f"± {half:.{2 if half >= 0.01 else 3}f} (95 %)"
    )
    if half <= _WIDE:
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
        told = listed([f"{times:,} × {visible(str(reason))}" for reason, times in reasons.items()])
        more = ", among others" if audit.skipped["reason"].nunique() > len(reasons) else ""
        what = "path was" if number == 1 else "paths were"
        yield Finding("note", f"{number:,} {what} not read as an image: {told}{more}.")
