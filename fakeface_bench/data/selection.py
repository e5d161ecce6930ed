"""Decides which files a study uses, and in which split: no picture stands on both sides of one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.splits import SplitFractions, split_by_group
from fakeface_bench.data.survey import Survey
from fakeface_bench.errors import DataError

Names = npt.NDArray[np.object_]
Numbers = npt.NDArray[np.signedinteger[Any]]

#: Why a file is left out.
UNREADABLE = "unreadable"
BOTH_LABELS = "both labels"
HELD_OUT_COPY = "copy of a held-out image"


def select_files(survey: Survey, seed: int) -> pd.DataFrame:
    """Return the survey's files with the columns `place`, `group`, `split` and `left_out`.

    Files that show one picture, copy by copy, are one `group`: the same bytes, or a chain of
    contents that look alike. What looks alike and carries opposite labels is taken for a
    manipulation and its original: both are used, in one split. Frames of one video, and of videos
    that share a face, are one group too. Left out are files that cannot be decoded; pictures of
    which the very same bytes or pixels carry both labels, with all their copies, for then a label
    is wrong; and of a group that stands in several official splits, what is not in the latest (of
    train, valid, test): in train it would be learned by heart, in valid it would let test choose
    among the trials, and a manipulation shows most of what its original does. So a group ends in
    one split. Where the project makes the split, or a part of it, no group is divided, and each
    source is divided by itself, save what another holds already.

    Args:
        survey: Its files.
        seed: Of the project's own split.

    Returns:
        The files, numbered as in the survey. `place` is the source, with its official split where
        it has one (`140k/train`). `left_out` is empty for files that a study uses. `split` is
        empty where a file of a source without splits was left out before they were made, or where
        the source is too small to be split.
    """
    files = survey.files.assign(left_out="", group=_groups(survey))
    files["place"] = files["source"].where(
        files["split"].isna(), files["source"] + "/" + files["split"]
    )
    files.loc[files["error"] != "", "left_out"] = UNREADABLE
    readable = files[files["error"] == ""]
    both = contradicted(readable).groupby(readable["group"]).transform("any")
    files.loc[both.index[both], "left_out"] = BOTH_LABELS
    files["group"] = _with_videos(files)
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


def manipulated(used: pd.DataFrame) -> pd.Series:
    """Tell of each used file whether its group holds both labels: a manipulation, or its original.

    Args:
        used: Of the files that `select_files` returns those that are not left out.
    """
    return used.groupby("group")["label"].transform("nunique") > 1


def drawn_splits(files: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return by source which splits it lacks, each with the official one it is drawn from.

    Sources without any official split, and those that have all, are absent.

    Args:
        files: As `select_files` returns them.
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
    preferred = {"valid": ("train", "test"), "test": ("valid", "train")}
    return {
        missing: max(sizes, key=lambda split: sizes[split])
        if missing == "train"
        else next(split for split in preferred[missing] if split in sizes)
        for missing in SPLITS
        if missing not in sizes
    }


def unreadable_shares(files: pd.DataFrame) -> pd.Series:
    """Return the share of unreadable files by `place`."""
    return (files["left_out"] == UNREADABLE).groupby(files["place"]).mean()


def _groups(survey: Survey) -> pd.Series:
    """Name each file's group by the smallest digest that its copies lead to."""
    number, digests = pd.factorize(survey.files["digest"], sort=True)
    names = np.asarray(digests, dtype=object)
    known = pd.Index(names)
    first, second = (
        known.get_indexer(survey.alike[name].to_numpy(object)) for name in ("first", "second")
    )
    joined = _joined(names, first, second, len(names))[number]
    return pd.Series(joined, index=survey.files.index, dtype="str")


def _with_videos(files: pd.DataFrame) -> pd.Series:
    """Join the groups of all frames of a video, and those of videos that share a face."""
    shown = files["videos"][files["videos"] != ""]
    videos = shown.str.split("|").explode()
    videos = files["source"][videos.index] + "/" + videos
    if videos.empty:
        return files["group"]
    number, groups = pd.factorize(files["group"], sort=True)
    video, known = pd.factorize(videos)
    frames = pd.Series(number, index=files.index)[videos.index].to_numpy()
    names = np.asarray(groups, dtype=object)
    joined = _joined(names, frames, video + len(names), len(names) + len(known))
    return pd.Series(joined[number], index=files.index, dtype="str")


def _joined(names: Names, first: Numbers, second: Numbers, nodes: int) -> Names:
    """Return the smallest name that links lead to from each name.

    Args:
        names: In order, of the first nodes; further ones only link these.
        first: Nodes that links begin at.
        second: Nodes that they end at.
        nodes: Their number.
    """
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
            split.loc[rows.index] = [drawn.get(group, donor) for group in rows["group"]]
            placed |= drawn
    unsplit = usable[usable["split"].isna()]
    for _, rows in unsplit.groupby("source"):
        # A picture that another source holds too stays where that one has it.
        placed = _drawn(rows, SplitFractions(), seed) | placed
    split.loc[unsplit.index] = unsplit["group"].map(placed).astype("str")
    return split.fillna("")


def _drawn(rows: pd.DataFrame, fractions: SplitFractions, seed: int) -> dict[str, str]:
    """Return the split of each group; none where there are too few, which an index refuses."""
    try:
        made = split_by_group(rows, fractions, seed)
    except DataError:
        return {}
    return dict(zip(made["group"], made["split"], strict=True))


def _order(files: pd.DataFrame) -> pd.Series:
    """Number the splits of files; none comes before train."""
    return files["split"].map({split: number for number, split in enumerate(SPLITS)}).fillna(-1)
