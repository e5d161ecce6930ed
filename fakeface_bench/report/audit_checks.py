"""What an audit checks: each check a row with what was found and how grave that is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal

from fakeface_bench.analysis.audit import Counts, Fact, PairCounts, cell_name, count, facts_of
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.selection import (
    BOTH_LABELS,
    HELD_OUT_COPY,
    MAX_LOSS,
    MAX_UNREADABLE,
    UNREADABLE,
    too_few,
    unreadable_shares,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import ShortcutFloor
from fakeface_bench.report.audit_tables import strongest_first
from fakeface_bench.report.format import counted, escaped, found, listed, percent
from fakeface_bench.report.table import WORDS, Column, Table
from fakeface_bench.support.text import elided, visible

#: `good`: nothing to do. `note`: worth knowing. `care`: read a study's metrics with it in mind.
#: `bad`: fix it before a study.
Weight = Literal["good", "note", "care", "bad"]
#: A dataset's or source's name longer than this is cut.
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the report.

    Attributes:
        name: What was looked at; may hold names from outside, made visible but not escaped.
        remark: What they mean for a study, or what to do; empty where nothing.
        verdict: The headline where this is the gravest check; empty where it makes none.
    """

    weight: Weight
    name: str
    found: str
    remark: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Findings:
    """All that is said of an audit.

    Attributes:
        facts: Of the files that a study would use.
        verdict: One line, without a full stop.
        topics: Checks by topic, in the order in which they are shown.
    """

    counts: Counts
    facts: tuple[Fact, ...]
    verdict: str
    weight: Weight
    topics: dict[str, tuple[Check, ...]]


def find(audit: Audit) -> Findings:
    """Judge an audit."""
    counts = count(audit)
    facts = facts_of(audit.used)
    topics = {
        "Images": tuple(_images(audit, counts)),
        "Shortcut": (*_shortcuts(audit), *_residual(audit)),
        "Duplicates": tuple(_duplicates(counts)),
        "Files": tuple(_files(audit, facts)),
    }
    verdict, weight = _verdict(topics, counts, audit.floor)
    return Findings(counts, facts, verdict, weight, topics)


def _verdict(
    topics: Mapping[str, tuple[Check, ...]], counts: Counts, floor: ShortcutFloor | None
) -> tuple[str, Weight]:
    """Let the gravest check speak; where none speaks the dataset is fit."""
    speaking = [check for checks in topics.values() for check in checks if check.verdict]
    for weight in ("bad", "care"):
        for check in speaking:
            if check.weight == weight:
                return check.verdict, check.weight
    reserve = ""
    if floor is None:
        reserve = "; shortcuts were not measured"
    elif floor.high_95 < 0.5:
        reserve = "; the shortcut measured is below chance"
    elif _is_open(floor):
        reserve = "; too few images to rule out a shortcut"
    left_out = sum(counts.left_out.values())
    fit = f"Fit, with {counted(left_out, 'image')} left out" if left_out else "Fit for a study"
    return f"{fit}{reserve}", "note" if reserve else "good"


#: Half-width of the test interval above which two studies can rarely be told apart.
_WIDE_TEST_INTERVAL = 0.05
#: A share of fakes this far from a half, or from another split's, is worth a warning.
_UNEVEN = 0.1


def _images(audit: Audit, counts: Counts) -> Iterator[Check]:
    if counts.unsplit:
        yield from _unsplit(audit, counts)
    if not counts.unsplit or any(counts.cells.values()):
        yield _used(counts)
        for split in SPLITS:
            real, fake = counts.of_split(split)
            weight: Weight = "good" if real and fake else "bad"
            yield Check(weight, f"{split}, {' / '.join(CLASS_NAMES)}", f"{real:,} / {fake:,}")
    if all(counts.cells.values()) and not counts.unsplit:
        yield _balance(counts)
        yield _resolution(*counts.of_split("test"))
    yield from _drawn(audit)
    yield _unreadable(audit, counts)
    for reason, number in counts.left_out.items():
        if reason != UNREADABLE:
            yield Check("note", f"left out: {reason}", f"{number:,}")
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


def _unsplit(audit: Audit, counts: Counts) -> Iterator[Check]:
    """Yield the sources that hold too few different pictures for a split of their own."""
    names = listed([elided(source, LONGEST_NAME) for source in counts.unsplit])
    for source, (real, fake) in counts.unsplit.items():
        yield Check(
            "bad",
            f"no split for {elided(source, LONGEST_NAME)}, {' / '.join(CLASS_NAMES)}",
            f"{real:,} / {fake:,}",
            too_few(audit.used[audit.used["source"] == source]),
            f"Not fit for a study: {names} could not be split",
        )


def images_name(counts: Counts) -> str:
    """Say what the images of an audit are that stand in no list of those left out."""
    return "images not left out" if counts.unsplit else "images used"


def _used(counts: Counts) -> Check:
    name, number = images_name(counts), f"{counts.images:,} of {counts.found:,}"
    missing = ", ".join(_missing(counts)) if counts.images else "there is no image to use"
    if not missing:
        return Check("good", name, number)
    needs = "a study needs real and fake images in train, valid and test"
    return Check("bad", name, number, needs, f"Not fit for a study: {missing}")


def _missing(counts: Counts) -> Iterator[str]:
    for split in SPLITS:
        sizes = zip(CLASS_NAMES, counts.of_split(split), strict=True)
        if empty := [name for name, size in sizes if not size]:
            yield f"{split} holds no {' or '.join(empty)} image"


def _balance(counts: Counts) -> Check:
    shares = {
        split: fake / (real + fake) for split in SPLITS for real, fake in [counts.of_split(split)]
    }
    low, high = min(shares.values()), max(shares.values())
    shown = ", ".join(f"{split} {percent(share)}" for split, share in shares.items())
    remark = ""
    if high - low > _UNEVEN:
        remark = "the splits differ: a threshold chosen on one does not suit another"
    elif max(abs(low - 0.5), abs(high - 0.5)) > _UNEVEN:
        remark = "uneven: accuracy favours the larger class, so read ROC AUC"
    return Check("care" if remark else "good", "share of fakes", shown, remark)


def _resolution(real: int, fake: int) -> Check:
    half = half_width_95(real, fake)
    shown = f"± {half:.{2 if half >= 0.01 else 3}f} (95 %)"
    name = "precision of a test ROC AUC near 0.80"
    if half <= _WIDE_TEST_INTERVAL:
        return Check("note", name, shown)
    return Check("care", name, shown, "smaller differences between networks cannot be shown")


def _drawn(audit: Audit) -> Iterator[Check]:
    """Yield the splits that an official dataset lacks, and what they are drawn from."""
    unofficial = "test metrics are not those of a published protocol"
    for source, donors in audit.drawn.items():
        for missing, donor in donors.items():
            name = f"no labelled {missing} split in {elided(source, LONGEST_NAME)}"
            shown = f"drawn from {donor}, copies kept together"
            is_test = missing == "test"
            yield Check("care" if is_test else "note", name, shown, unofficial if is_test else "")


def _unreadable(audit: Audit, counts: Counts) -> Check:
    name = "unreadable images"
    if not counts.unreadable:
        return Check("good", name, "0")
    shares = unreadable_shares(audit.files)
    worst, share = elided(str(shares.idxmax()), LONGEST_NAME), float(shares.max())
    if share <= MAX_UNREADABLE:
        return Check("care", name, f"{counts.unreadable:,}", "left out")
    words = f"{100 * share:.1f} % of the images of {worst} cannot be read"
    errors = audit.files.loc[audit.files["left_out"] == UNREADABLE, "error"]
    remark = (
        f"{words}, more than {percent(MAX_UNREADABLE)}: fetch or convert them again "
        f"(the first: {visible(str(errors.iloc[0]))})"
    )
    return Check("bad", name, f"{counts.unreadable:,}", remark, f"Not fit for a study: {words}")


def _odd_files(audit: Audit, counts: Counts) -> Iterator[Check]:
    if counts.wrong_extensions:
        remark = "another format than the file's name says; read by content"
        yield Check("care", "wrong extensions", f"{counts.wrong_extensions:,}", remark)
    if counts.animated:
        remark = "only the first frame is used"
        yield Check("care", "animations", f"{counts.animated:,}", remark)
    if counts.skipped:
        reasons = audit.skipped["reason"].value_counts()
        most = [f"{times:,} × {visible(str(why))}" for why, times in reasons.head(3).items()]
        others = [f"{reasons[3:].sum():,} for other reasons"] if len(reasons) > 3 else []
        yield Check("note", "files skipped", f"{counts.skipped:,}", ", ".join([*most, *others]))


#: From here on metadata discriminates "acceptably" and "outstandingly": Hosmer, Lemeshow &
#: Sturdivant (2013), "Applied logistic regression", chapter 5.
_CLEAR, _STRONG = 0.7, 0.9
#: Below it a shortcut, however sure, is too small to speak in a verdict.
_SLIGHT = 0.55
#: Below it lies the whole interval where it is said that there is none.
NO_SHORTCUT = 0.6


def _shortcuts(audit: Audit) -> Iterator[Check]:
    """Yield what a classifier that sees no pixel reaches: on the whole, on each source alone."""
    name, few = "shortcut ROC AUC", "too few images"
    if audit.floor is None:
        yield Check("note", name, "not measured", few)
    else:
        yield _shortcut(name, audit.floor)
        if audit.floor.low_95 > 0.5:
            for facts, alone in strongest_first(audit.floor)[:1]:
                yield Check("note", f"strongest alone: {facts}", f"{alone:.3f}")
    for source in audit.folders if audit.source_floors else ():
        shown = elided(source, LONGEST_NAME)
        if floor := audit.source_floors.get(source):
            yield _shortcut(f"{name}, {shown}", floor, f" in {shown}")
        else:
            yield Check("note", f"{name}, {shown}", "not measured", few)


def _is_open(floor: ShortcutFloor) -> bool:
    """Whether a shortcut is neither shown nor ruled out."""
    return floor.low_95 <= 0.5 and max(floor.high_95, floor.one_fact_high) >= NO_SHORTCUT


def _shortcut(name: str, floor: ShortcutFloor, where: str = "") -> Check:
    shown = format_shortcut(floor)
    if floor.high_95 < 0.5:
        return Check("note", name, shown, "below chance: not interpretable")
    if _is_open(floor):
        smallest = 0.5 + floor.roc_auc - floor.low_95
        could = f"{floor.images:,} images could show one from {smallest:.2f}"
        if floor.high_95 < NO_SHORTCUT:
            could = f"one fact alone may reach {floor.one_fact_high:.2f}"
        return Check("note", name, shown, f"a shortcut is neither shown nor ruled out: {could}")
    if floor.low_95 <= 0.5:
        return Check("good", name, shown, "not better than chance")
    remark = "better than chance: read a test ROC AUC against it"
    if floor.roc_auc < _SLIGHT:
        return Check("note", name, shown, remark)
    size = "strong " if floor.roc_auc >= _STRONG else "" if floor.roc_auc >= _CLEAR else "slight "
    verdict = f"A {size}shortcut{where}: file metadata alone reaches ROC AUC {floor.roc_auc:.2f}"
    if floor.roc_auc < _STRONG:
        return Check("care", name, shown, remark, verdict)
    remark += "; bring both classes through one encoder, at one size, before a study"
    return Check("bad", name, shown, remark, verdict)


#: Of ROC AUC that one JPEG takes away, from where it is worth a remark.
_HISTORY = 0.03


def _residual(audit: Audit) -> Iterator[Check]:
    """Yield what residual statistics alone reach, before and after one JPEG of all pictures."""
    found = audit.residual
    if found is None:
        return
    remark = "no network: both a detector and a reader of how pictures were processed"
    yield Check("note", "residual statistics alone, ROC AUC", _format(found.untouched), remark)
    lost = found.untouched.value - found.equalised.value
    remark = f"one JPEG of quality {found.jpeg_quality} takes {lost:.3f} of it"
    weight: Weight = "note"
    if lost >= _HISTORY and found.equalised.high < found.untouched.value:
        weight = "care"
        remark += ": that was compression history, or as fine; run studies with equalise=jpeg too"
    yield Check(weight, "the same after equalise=jpeg", _format(found.equalised), remark)


def _format(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} (95 % {estimate.low:.3f} to {estimate.high:.3f})"


def format_shortcut(floor: ShortcutFloor) -> str:
    """Show the floor with its interval over cross-validation folds."""
    return _format(floor.estimate)


def _duplicates(counts: Counts) -> Iterator[Check]:
    """Yield what is to be said of duplicates, those that spoil a test first."""
    yield _across(counts.identical_across, counts.identical, "identical pairs")
    yield _across(counts.near_across, counts.near, "near-duplicate pairs")
    yield from _twins(counts)
    yield from _losses(counts)
    if counts.leaving_otherwise:
        remark = "a chain of copies leads to another split"
        yield Check("care", "further copies left out", f"{counts.leaving_otherwise:,}", remark)
    both, made = counts.contradicting, counts.manipulated
    if both.pairs:
        remark = "nobody knows which label is correct; left out"
        shown = found(both.pairs, both.at_least)
        yield Check("care", "identical pairs with both labels", shown, remark)
    if made.pairs:
        remark = f"alike, with opposite labels: {made.both_used:,} used, in one split; look at them"
        shown = found(made.pairs, made.at_least)
        yield Check("note", "manipulations with their originals", shown, remark)
    within = (("identical", counts.identical_within), ("near-duplicate", counts.near_within))
    for kind, pairs in within:
        if pairs.pairs:
            remark = "no leak, but fewer different pictures than images"
            shown = found(pairs.pairs, pairs.at_least)
            yield Check("note", f"{kind} pairs within one split", shown, remark)
    if counts.unplaced:
        yield Check("note", "pairs with an image in no split", f"{counts.unplaced:,}")


def _twins(counts: Counts) -> Iterator[Check]:
    """Yield how many pairs of pictures show one face, and what that means for a test."""
    if not counts.twins.pairs:
        return
    shown = found(counts.twins.pairs, counts.twins.at_least)
    remark = "another picture of one face, drawn again; kept together where the project splits"
    yield Check("note", "pairs of twins", shown, remark)
    if any(counts.test_twins.values()):
        remark = "they stay, as the split is official; studies tell metrics without them too"
        shown = ", ".join(f"{images:,} {name}" for name, images in counts.test_twins.items())
        yield Check("care", "test images with a twin in train or valid", shown, remark)


def _losses(counts: Counts) -> Iterator[Check]:
    """Yield what each class of each split loses to copies in later splits."""
    for loss in counts.losses:
        what = f"{loss.split} {CLASS_NAMES[loss.label]}"
        shown = f"{loss.images:,} ({loss.share:.1%})"
        if loss.share <= MAX_LOSS:
            yield Check("note", f"{what} images left out as copies", shown)
            continue
        remark = "studies weigh the classes alike" if loss.split == "train" else ""
        verdict = f"Fit, but copies cost {loss.share:.1%} of the {what} images"
        yield Check("care", f"{what} images left out as copies", shown, remark, verdict)


def _across(across: PairCounts, every: PairCounts, kind: str) -> Check:
    name = f"{kind} across splits"
    shown = f"{found(across.pairs, across.at_least)} of {found(every.pairs, every.at_least)}"
    if not across.pairs:
        return Check("good", name, shown)
    leaving = [f"{number:,} {split}" for split, number in across.leaving.items()]
    remark = f"left out: {', '.join(leaving)}" if leaving else "none left out"
    if not across.both_used:
        return Check("care", name, shown, remark)
    whole = counted(across.both_used, "pair", across.at_least)
    verdict = f"Not fit for a study: {whole} of {_LEAKING[kind]} would leak"
    return Check("bad", name, shown, f"{remark}; {whole} would be used whole and leak", verdict)


_LEAKING = {"identical pairs": "identical images", "near-duplicate pairs": "near-duplicates"}
#: Medians closer than this, as a share, are called alike.
_ALIKE_SIZE = 0.02


def _files(audit: Audit, facts: tuple[Fact, ...]) -> Iterator[Check]:
    """Yield how the files of the two classes compare, of those that a study would use."""
    present = [fact for fact in facts if len(fact.counts)]
    for fact in present:
        remark = "; ".join(_of_one_class(fact)) if fact.key == "quantisation" else ""
        if fact.differs or remark:
            shown = "; ".join(f"{name} {format_shares(fact, name)}" for name in CLASS_NAMES)
            yield Check("care" if fact.differs else "note", fact.name, shown, remark)
    if alike := [fact.name for fact in present if not fact.differs]:
        yield Check("good", "the same in both classes", ", ".join(alike))
    if audit.used["label"].nunique() == 2:
        real, fake = audit.used.groupby("label")["size"].median().sort_index()
        weight: Weight = "good" if abs(fake - real) <= _ALIKE_SIZE * real else "note"
        shown = f"real {kilobytes(real)}, fake {kilobytes(fake)}"
        yield Check(weight, "median file size", shown, f"fake / real: {fake / real:.2f}")


def _of_one_class(fact: Fact) -> Iterator[str]:
    """Yield which share of a class has values that the other lacks."""
    for name, other in (("fake", "real"), ("real", "fake")):
        of_class = fact.counts[name]
        alone = of_class[fact.counts[other] == 0].sum() / max(1, of_class.sum())
        if alone and fact.counts[other].sum():
            yield f"{percent(alone)} of the {name}s have a table that no {other} has"


def kilobytes(size: float) -> str:
    """Show a size in kB of 1000 bytes."""
    return f"{size / 1000:,.1f} kB"


def format_shares(fact: Fact, class_name: str, most: int = 2) -> str:
    """Name the most frequent values of a class with their shares, and how many more there are."""
    of_class = fact.counts[class_name]
    present = of_class[of_class > 0].sort_values(ascending=False, kind="stable")
    shares = (present / present.sum()).head(most)
    shown = [f"{value} {percent(share)}" for value, share in shares.items()]
    if len(present) > most:
        shown.append(f"{len(present) - most:,} more")
    return ", ".join(shown) or "none"


def audit_metrics(audit: Audit) -> dict[str, float]:
    """Return every single number of an audit under its MLflow name."""
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
        "data/twin_pairs": counts.twins.pairs,
        "data/twins_across_splits": counts.twins_across.pairs,
    }
    metrics |= {
        f"data/{name}_test_images_with_twin": images for name, images in counts.test_twins.items()
    }
    metrics |= {f"data/{cell_name(*cell)}_images": size for cell, size in counts.cells.items()}
    floors = {f"data/{source}": floor for source, floor in audit.source_floors.items()}
    for place, floor in ({"data": audit.floor} | floors).items():
        if floor is not None:
            metrics |= {
                f"{place}/shortcut_auc": floor.roc_auc,
                f"{place}/shortcut_auc_low_95": floor.low_95,
                f"{place}/shortcut_auc_high_95": floor.high_95,
            }
    if audit.residual is not None:
        for name, estimate in (
            ("residual_auc", audit.residual.untouched),
            ("residual_auc_equalised", audit.residual.equalised),
        ):
            metrics |= {
                f"data/{name}": estimate.value,
                f"data/{name}_low_95": estimate.low,
                f"data/{name}_high_95": estimate.high,
            }
    return {name: float(value) for name, value in metrics.items()}


def audit_rows(findings: Findings) -> list[tuple[str, str]]:
    """Return (check, what was found) as text, the verdict first."""
    checks = [check for checks in findings.topics.values() for check in checks]
    return [("verdict", findings.verdict), *((check.name, check.found) for check in checks)]


_COLUMNS = (
    Column("check", "check", "name", WORDS),
    Column("found", "found", "found", WORDS),
    Column("weight", "weight", "weight", WORDS),
    Column("remark", "remark", "remark", WORDS),
)


def checks_table(checks: tuple[Check, ...]) -> Table:
    """Return the checks of one topic as a table of what was found and how grave it is."""
    return Table(_COLUMNS, checks)


def audit_markdown(audit: Audit, findings: Findings) -> str:
    """Return verdict and checks by topic as markdown; names are escaped."""
    lines = [f"**{escaped(findings.verdict)}.**", escaped(summary(audit, findings.counts))]
    for topic, checks in findings.topics.items():
        if checks:
            lines += [f"### {topic}", checks_table(checks).markdown()]
    return "\n\n".join(lines) + "\n"


def summary(audit: Audit, counts: Counts) -> str:
    """Say which dataset it is, how much of it a study would use, and whose split it has."""
    used = "not left out" if counts.unsplit else "used"
    return (
        f"{elided(audit.name, 80)}: {counts.images:,} of {counts.found:,} images {used}; "
        f"split: {format_split(audit, counts)}."
    )


def format_split(audit: Audit, counts: Counts) -> str:
    """Say whose split it is: `made by the project for ciplab, official for 140k`."""
    whose = {
        source: "could not be made"
        if source in counts.unsplit
        else "made by the project"
        if source in audit.own_split
        else "official"
        for source in audit.folders
    }
    kinds = dict.fromkeys(whose.values())
    parts = [*kinds]
    if len(kinds) > 1:
        named = {
            kind: listed([elided(s, LONGEST_NAME) for s in whose if whose[s] == kind])
            for kind in kinds
        }
        parts = [f"{kind} for {named[kind]}" for kind in kinds]
    if drawn := {missing: None for donors in audit.drawn.values() for missing in donors}:
        parts.append(f"{listed([*drawn])} made by the project")
    return ", ".join(parts)


def key_metrics(counts: Counts, floor: ShortcutFloor | None) -> list[tuple[str, str, str]]:
    """Return (number, what it is, what to add) of the four numbers to look at first."""
    across = counts.identical_across, counts.near_across
    every = counts.identical, counts.near
    pairs, of = (
        found(sum(kind.pairs for kind in kinds), any(kind.at_least for kind in kinds))
        for kinds in (across, every)
    )
    reasons = [f"{reason}: {number:,}" for reason, number in counts.left_out.items()]
    shortcut = ("–", "too few images to measure")
    if floor is not None:
        interval = f"95 % {floor.low_95:.3f} to {floor.high_95:.3f}"
        shortcut = (f"{floor.roc_auc:.3f}", interval)
    return [
        (f"{counts.images:,}", images_name(counts), f"of {counts.found:,} found"),
        (
            f"{sum(counts.left_out.values()):,}",
            "images left out",
            ", ".join(reasons) or "every image can be used",
        ),
        (pairs, "duplicate pairs across splits", f"of {of} in all"),
        (shortcut[0], "shortcut ROC AUC", shortcut[1]),
    ]
