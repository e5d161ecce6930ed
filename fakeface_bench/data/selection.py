"""Decides which files a study uses, in which split, and says what it leaves out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.survey import Survey
from fakeface_bench.data.twins import COPY_DETAIL
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.progress import Progress

#: Numbers the draw of groups that hold both labels, after those of one label each.
_BOTH = len(CLASS_NAMES)
#: Numbers the order in which groups are moved to a split that lacks them.
_MOVED = _BOTH + 1
#: The order in which splits get what they lack.
_FILLED = ("test", "valid", "train")


@dataclass(frozen=True, slots=True)
class SplitFractions:
    """Requested shares of the splits, adding up to 1; a split of no share is not made."""

    train: float = 0.70
    valid: float = 0.15
    test: float = 0.15

    def among(self, *splits: str) -> "SplitFractions":
        """Return the shares of some splits alone, in the same proportion."""
        shares = {split: getattr(self, split) for split in splits}
        return SplitFractions(
            **{split: shares.get(split, 0.0) / sum(shares.values()) for split in SPLITS}
        )

    @property
    def wanted(self) -> tuple[str, ...]:
        """The splits that are made."""
        return tuple(split for split in SPLITS if getattr(self, split))


def split_by_group(index: pd.DataFrame, fractions: SplitFractions, seed: int) -> pd.DataFrame:
    """Label each image train, valid or test, never dividing a group between two splits.

    Whole groups are drawn within each label, and those that hold both labels among themselves, so
    realised fractions are close to, not equal to, the request; a group of copies larger than the
    share of test goes to train. A split that would lack a label that is there gets a small group
    from where others remain. The result depends on groups, labels and seed, not on the order of
    rows.

    Returns:
        A copy with the column `split` set.
    """
    labels = index.groupby("group")["label"].nunique()
    drawn_with = index["label"].where(index["group"].map(labels) == 1, _BOTH)
    split = pd.Series("", index=index.index, dtype="str")
    for stratum, rows in index.groupby(drawn_with):
        rng = np.random.default_rng([seed, int(str(stratum))])
        split.loc[rows.index] = rows["group"].map(_draw_groups(rows["group"], fractions, rng))
    result = _filled(index.assign(split=split), fractions.wanted, seed)
    counts = result.groupby("split")["label"].nunique()
    for name in fractions.wanted:
        if counts.get(name, 0) < index["label"].nunique():
            wanted = len(fractions.wanted)
            raise DataError(f"split {name!r} would lack a class: {too_few(index, wanted)}.")
    return result


def too_few(index: pd.DataFrame, splits: int = len(SPLITS)) -> str:
    """Say which classes show too few different pictures for so many splits, and what is needed.

    Args:
        splits: How many have to hold both classes.
    """
    needed = f"{splits} of each class are needed, and copies of one picture count once"
    short = []
    for label, name in enumerate(CLASS_NAMES):
        rows = index[index["label"] == label]
        if (pictures := rows["group"].nunique()) < splits:
            what = "picture" if pictures == 1 else "pictures"
            files = "" if len(rows) == pictures else f" (in {len(rows):,} files)"
            short.append(f"{pictures:,} different {name} {what}{files}")
    if short:
        return f"it shows {' and '.join(short)}; {needed}"
    return f"its copies hang together in {index['group'].nunique():,} groups; {needed}"


def _draw_groups(
    groups: pd.Series, fractions: SplitFractions, rng: np.random.Generator
) -> Mapping[str, str]:
    """Draw the split of each group, by the groups of all images that are drawn together."""
    sizes = groups.groupby(groups).size().sort_index()
    rest = "train" if fractions.train else "valid"
    least = min(getattr(fractions, split) for split in fractions.wanted if split != "train")
    too_large = (sizes > 1) & (sizes > least * len(groups))
    large = dict.fromkeys(sizes.index[too_large], rest)
    sizes = sizes[~too_large]
    sizes = sizes.iloc[rng.permutation(len(sizes))]
    middle = (sizes.cumsum() - sizes / 2) / sizes.sum()
    held_out = np.where(middle < fractions.test + fractions.valid, "valid", rest)
    names = np.where(middle < fractions.test, "test", held_out)
    return large | dict(zip(sizes.index, names, strict=True))


def _filled(index: pd.DataFrame, wanted: tuple[str, ...], seed: int) -> pd.DataFrame:
    """Move groups to splits that lack a label, from splits where others have it."""
    there = index.groupby("split")["label"].nunique()
    if all(there.get(name, 0) == index["label"].nunique() for name in wanted):
        return index
    holds = pd.crosstab(index["group"], index["label"]) > 0
    sizes = index.groupby("group").size()
    placed = index.groupby("group")["split"].first()
    ranks = np.random.default_rng([seed, _MOVED]).permutation(len(sizes))
    for name in (split for split in _FILLED if split in wanted):
        for label in holds.columns:
            if holds.loc[placed == name, label].any():
                continue
            # Of each group: how many of its split hold each label.
            beside = holds.groupby(placed).sum().loc[placed].set_axis(placed.index)
            spare = holds[label] & ((beside > 1) | ~holds).all(axis=1)
            free = pd.DataFrame({"beside": -beside[label], "size": sizes, "rank": ranks})[spare]
            if len(free):
                placed[free.sort_values(["beside", "size", "rank"]).index[0]] = name
    return index.assign(split=index["group"].map(placed).astype("str"))


Names = npt.NDArray[np.object_]
Numbers = npt.NDArray[np.signedinteger[Any]]

#: Why a file is left out.
UNREADABLE = "unreadable"
BOTH_LABELS = "both labels"
HELD_OUT_COPY = "copy of a held-out image"


def select_files(survey: Survey, seed: int) -> pd.DataFrame:
    """Return the survey's files with `place`, `group`, `kin`, `split` and `left_out`.

    Files that show one picture, copy by copy, are one `group`: the same bytes, or a chain of
    contents that a closer look does not tell apart. Those, and their twins, which are other
    pictures of one face, are one `kin`: no split that the project makes divides it. Official splits
    do, and keep them; `twins_in_training` tells which. What looks alike and carries opposite labels
    is taken for a manipulation and its original: both are used, in one split. Frames of one video,
    and of videos that share a face, are one group too. Left out are files that cannot be decoded;
    pictures of which the very same bytes or pixels carry both labels, with all their copies, for
    then a label is wrong; and of a group that stands in several official splits, what is not in the
    latest (of train, valid, test): in train it would be learned by heart, in valid it would let
    test choose among the trials, and a manipulation shows most of what its original does. So a
    group ends in one split. Where the project makes the split, or a part of it, no kin is divided,
    and each source is divided by itself, save what another holds already.

    Returns:
        The files, numbered as in the survey. `place` is the source, with its official split where
        it has one (`140k/train`). `left_out` is empty for files that a study uses. `split` is
        empty where a file of a source without splits was left out before they were made, or where
        the source is too small to be split.
    """
    copies, kin = _copies_and_kin(survey)
    files = survey.files.assign(left_out="", group=_groups(survey.files, copies))
    files["place"] = files["source"].where(
        files["split"].isna(), files["source"] + "/" + files["split"]
    )
    files.loc[files["error"] != "", "left_out"] = UNREADABLE
    readable = files[files["error"] == ""]
    both = contradicted(readable).groupby(readable["group"]).transform("any")
    files.loc[both.index[both], "left_out"] = BOTH_LABELS
    files["kin"] = _groups(survey.files, kin)
    for column in ("group", "kin"):
        files[column] = _with_videos(files, column)
    files["split"] = _split_sources(files, seed)
    order = _order(files[files["left_out"] == ""])
    behind = order < order.groupby(files["group"]).transform("max")
    files.loc[behind.index[behind], "left_out"] = HELD_OUT_COPY
    return files


def contradicted(readable: pd.DataFrame) -> pd.Series:
    """Tell of each readable file whether its very bytes, or its pixels, carry both labels."""
    found = pd.Series(False, index=readable.index)
    for same in ("digest", "pixels"):
        found |= readable.groupby(same)["label"].transform("nunique") > 1
    return found


def twins_in_training(used: pd.DataFrame) -> pd.Series:
    """Return which test images have a twin among those that a model is trained or chosen by.

    Args:
        used: Files or an index's rows with `split` and `kin`.
    """
    shown = set(used.loc[used["split"].isin(("train", "valid")), "kin"])
    return (used["split"] == "test") & used["kin"].isin(shown)


def counts_of_twins(used: pd.DataFrame) -> dict[str, int]:
    """Count `twins_in_training` by the name of their class."""
    labels = used.loc[twins_in_training(used), "label"]
    return {name: int((labels == label).sum()) for label, name in enumerate(CLASS_NAMES)}


def manipulated(used: pd.DataFrame) -> pd.Series:
    """Return which used files are a manipulation or its original: a group of both labels."""
    return used.groupby("group")["label"].transform("nunique") > 1


def drawn_splits(files: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return by source which splits it lacks, each with the official one it is drawn from.

    Sources without any official split, and those that have all, are absent.
    """
    found = {}
    for source, rows in files.groupby("source"):
        places = set(rows["place"])
        official = [split for split in SPLITS if f"{source}/{split}" in places]
        if official and len(official) < len(SPLITS):
            sizes = {split: int((rows["place"] == f"{source}/{split}").sum()) for split in official}
            found[str(source)] = _donors(sizes)
    return found


def _donors(sizes: Mapping[str, int]) -> dict[str, str]:
    """Return which official split each missing one is drawn from.

    Validation comes from training images, as a study without it would take them; test comes from
    what is held out already, where anything is; training from whichever is largest.
    """
    preferred = {
        "train": sorted(sizes, key=lambda split: sizes[split], reverse=True),
        "valid": ["train", "test"],
        "test": ["valid", "train"],
    }
    return {
        missing: next(split for split in preferred[missing] if split in sizes)
        for missing in SPLITS
        if missing not in sizes
    }


def unreadable_shares(files: pd.DataFrame) -> pd.Series:
    """Return the share of unreadable files by `place`."""
    return (files["left_out"] == UNREADABLE).groupby(files["place"]).mean()


def _copies_and_kin(survey: Survey) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pairs that are one picture, and the pairs that show one face.

    Of pairs that look like one picture copies are those that a closer look does not tell apart, or
    that carry different labels: a manipulation shows most of what its original does. The others are
    twins, which bear one label.
    """
    alike = survey.alike
    labels = survey.files.drop_duplicates("digest").set_index("digest")["label"]
    one, other = (labels.reindex(alike[name]).to_numpy() for name in ("first", "second"))
    near, looks_apart = alike["near"].to_numpy(), (alike["detail"] < COPY_DETAIL).to_numpy()
    return alike[near & (~looks_apart | (one != other))], alike[near | (one == other)]


def _groups(files: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """Name each file's group by the smallest digest that pairs of contents lead to."""
    number, digests = pd.factorize(files["digest"], sort=True)
    names = np.asarray(digests, dtype=object)
    known = pd.Index(names)
    first, second = (
        known.get_indexer(pairs[name].to_numpy(object)) for name in ("first", "second")
    )
    joined = _joined(names, first, second, len(names))[number]
    return pd.Series(joined, index=files.index, dtype="str")


def _with_videos(files: pd.DataFrame, column: str) -> pd.Series:
    """Join the groups of all frames of a video, and those of videos that share a face."""
    shown = files["videos"][files["videos"] != ""]
    videos = shown.str.split("|").explode()
    videos = files["source"][videos.index] + "/" + videos
    if videos.empty:
        return files[column]
    number, groups = pd.factorize(files[column], sort=True)
    video, known = pd.factorize(videos)
    frames = pd.Series(number, index=files.index)[videos.index].to_numpy()
    names = np.asarray(groups, dtype=object)
    joined = _joined(names, frames, video + len(names), len(names) + len(known))
    return pd.Series(joined[number], index=files.index, dtype="str")


def _joined(names: Names, first: Numbers, second: Numbers, nodes: int) -> Names:
    """Return the smallest name linked to each; nodes beyond the names only link these."""
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    _, smallest = np.unique(component, return_index=True)
    return np.asarray(names[smallest[component[: len(names)]]], dtype=object)


def _split_sources(files: pd.DataFrame, seed: int) -> pd.Series:
    """Return the official splits, with what they lack, and the project's own of other sources."""
    usable = files[files["left_out"] == ""]
    official = usable[usable["split"].notna()]
    latest = official.loc[_order(official).sort_values(kind="stable").index]
    placed: dict[str, str] = dict(zip(latest["group"], latest["split"], strict=True))
    split = files["split"].copy()
    for source, donors in drawn_splits(files).items():
        for donor in set(donors.values()):
            here = (official["source"] == source) & (official["split"] == donor)
            rows = official[here & (official["group"].map(placed) == donor)]
            parts = (donor, *(missing for missing in donors if donors[missing] == donor))
            drawn = _drawn(rows, SplitFractions().among(*parts), seed)
            split.loc[rows.index] = [drawn.get(kin, donor) for kin in rows["kin"]]
            placed |= dict(zip(rows["group"], split[rows.index], strict=True))
    unsplit = usable[usable["split"].isna()]
    latest = latest.assign(split=split[latest.index])
    latest = latest.loc[_order(latest).sort_values(kind="stable").index]
    kin = dict(zip(latest["kin"], latest["split"], strict=True))
    for _, rows in unsplit.groupby("source"):
        # A picture that another source holds too, or a twin of it, stays where that one has it.
        kin = _drawn(rows, SplitFractions(), seed) | kin
    split.loc[unsplit.index] = unsplit["kin"].map(kin).astype("str")
    return split.fillna("")


def _drawn(rows: pd.DataFrame, fractions: SplitFractions, seed: int) -> dict[str, str]:
    """Return the split of pictures with all their twins, by `kin`.

    None where there are too few, which an index refuses.
    """
    try:
        made = split_by_group(rows.assign(group=rows["kin"]), fractions, seed)
    except DataError:
        return {}
    return dict(zip(made["kin"], made["split"], strict=True))


def _order(files: pd.DataFrame) -> pd.Series:
    """Number the splits of files; none comes before train."""
    return files["split"].map({split: number for number, split in enumerate(SPLITS)}).fillna(-1)


#: Where a class of train loses more than this share of its images, classes are balanced.
MAX_LOSS = 0.02


@dataclass(frozen=True, slots=True)
class Loss:
    """Images of one class that leave a split, and their share of those that could be read."""

    split: str
    label: int
    images: int
    share: float


def losses(files: pd.DataFrame) -> tuple[Loss, ...]:
    """Return by split and class what leaves because a later split holds a copy, if any."""
    readable = files[files["left_out"].isin(("", HELD_OUT_COPY)) & (files["split"] != "")]
    found = []
    for keys, rows in readable.groupby(["split", "label"]):
        split, label = cast(tuple[str, int], keys)
        leaves = rows["left_out"] == HELD_OUT_COPY
        if leaves.any():
            found.append(Loss(split, int(label), int(leaves.sum()), float(leaves.mean())))
    return tuple(found)


def loses_unevenly(files: pd.DataFrame) -> bool:
    """Whether a class of train loses so much that classes no longer stand as they did."""
    return any(loss.share > MAX_LOSS for loss in losses(files) if loss.split == "train")


#: Above this share of unreadable images a split is taken for broken.
MAX_UNREADABLE = 0.05
#: Warnings that name a file each; the rest are counted.
_NAMED_FILES = 10


def report_skipped(survey: Survey, progress: Progress) -> None:
    """Name the files that were not read, or how many there are."""
    for row in survey.skipped.head(_NAMED_FILES).itertuples():
        progress.warn(f"not read: {row.path!r}: {row.reason}")
    if len(survey.skipped) > _NAMED_FILES:
        progress.warn(f"{len(survey.skipped) - _NAMED_FILES} more files were not read")


def report_unreadable(files: pd.DataFrame, progress: Progress) -> None:
    """Name the files that cannot be decoded, or how many there are."""
    broken = files[files["left_out"] == UNREADABLE]
    for row in broken.head(_NAMED_FILES).itertuples():
        progress.warn(f"left out {row.path!r} of {row.source}: {row.error}")
    if len(broken) > _NAMED_FILES:
        progress.warn(f"left out {len(broken) - _NAMED_FILES} more unreadable images")
    shares = unreadable_shares(files)
    for place, share in shares[shares > MAX_UNREADABLE].items():
        first = broken[broken["place"] == place].iloc[0]
        raise DataError(
            f"{share:.0%} of the images of {place!r} cannot be read (the first: "
            f"{first['path']!r}: {first['error']}); up to {MAX_UNREADABLE:.0%} are left out: "
            "fetch or convert them again."
        )


def report_copies(files: pd.DataFrame, progress: Progress) -> None:
    counts = files["left_out"].value_counts()
    if conflicts := counts.get(BOTH_LABELS, 0):
        progress.warn(f"left out {conflicts} images that were found with both labels")
    if leaks := counts.get(HELD_OUT_COPY, 0):
        told = ", ".join(
            f"{loss.images:,} {loss.split} {CLASS_NAMES[loss.label]} ({loss.share:.1%})"
            for loss in losses(files)
        )
        progress.warn(
            f"left out {leaks} train or valid images of which test (or valid) holds a copy: {told}"
        )
    used = files[files["left_out"] == ""]
    twins = counts_of_twins(used)
    if any(twins.values()):
        told = " and ".join(f"{images:,} {name}" for name, images in twins.items())
        progress.warn(
            f"{told} test images have a twin in train or valid, another picture that shows the "
            "same face; they stay, and metrics without them are told too"
        )
    if manipulations := int(manipulated(used).sum()):
        progress.say(
            f"{manipulations:,} images are manipulations and their originals, by their looks and "
            "labels: what belongs together is in one split"
        )


def report_drawn(files: pd.DataFrame, progress: Progress) -> None:
    """Warn of official splits that are missing, and say from which one each was drawn."""
    for source, donors in drawn_splits(files).items():
        of_source = files[(files["source"] == source) & (files["left_out"] == "")]
        for missing, donor in donors.items():
            images = int((of_source["split"] == missing).sum())
            of = int((of_source["place"] == f"{source}/{donor}").sum())
            warning = (
                f"{source} has no labelled {missing} split: {images:,} of the {of:,} images of its "
                f"{donor} are drawn for it, copies kept together"
            )
            if missing == "test":
                warning += "; test metrics are not those of a published protocol"
            progress.warn(warning)
