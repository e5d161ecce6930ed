"""Decides which files a study uses, and in which split: no picture stands on both sides of one."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.layout import SPLITS
from fakeface_bench.data.splits import SplitFractions, split_by_group
from fakeface_bench.data.survey import Survey

#: Why a file is left out.
UNREADABLE = "unreadable"
BOTH_LABELS = "both labels"
HELD_OUT_COPY = "copy of a held-out image"


def select_files(survey: Survey, seed: int) -> pd.DataFrame:
    """Return the survey's files with the columns `split`, `group` and `left_out`.

    Left out are files that cannot be decoded; pictures found with both labels, whether their
    bytes are the same or they merely look it; and pictures of which a later split (of train,
    valid, test) holds a copy: in train it would be learned by heart, in valid it would let test
    choose among the trials. Files that show one picture, copy by copy, are one `group`; where the
    project makes the split, no group is divided, and each source is divided by itself.

    Args:
        survey: Its files.
        seed: Of the project's own split.

    Returns:
        The files, numbered as in the survey. `left_out` is empty for those that a study uses;
        `split` and `group` are empty where a file was left out before splits were made.

    Raises:
        DataError: If a source is too small to be split.
    """
    files = survey.files.assign(left_out="", group="")
    files.loc[files["error"] != "", "left_out"] = UNREADABLE
    files.loc[_has_both_labels(files, survey.alike), "left_out"] = BOTH_LABELS
    kept = files["left_out"] == ""
    files.loc[kept, "group"] = _groups(files[kept], survey.alike)
    files["split"] = _split_sources(files, seed).fillna("")
    leaking = _is_in_a_later_split(files[kept], survey.alike)
    files.loc[leaking.index[leaking], "left_out"] = HELD_OUT_COPY
    return files


def _has_both_labels(files: pd.DataFrame, alike: pd.DataFrame) -> pd.Series:
    readable = files[files["error"] == ""]
    labels = {
        label: set(readable.loc[readable["label"] == label, "digest"]) for label in (REAL, FAKE)
    }
    both = labels[REAL] & labels[FAKE]
    for one, other in ((REAL, FAKE), (FAKE, REAL)):
        opposed = alike[alike["first"].isin(labels[one]) & alike["second"].isin(labels[other])]
        both |= {*opposed["first"], *opposed["second"]}
    return (files["error"] == "") & files["digest"].isin(both)


def _groups(files: pd.DataFrame, alike: pd.DataFrame) -> pd.Series:
    """Name each file's group by the smallest digest among the contents that lead to it."""
    digests = np.sort(files["digest"].unique().astype(object))
    number = {digest: place for place, digest in enumerate(digests)}
    edges = alike[alike["first"].isin(number) & alike["second"].isin(number)]
    first, second = (edges[name].map(number).to_numpy(np.int64) for name in ("first", "second"))
    graph = coo_array((np.ones(len(edges), bool), (first, second)), shape=(len(digests),) * 2)
    _, component = connected_components(graph, directed=False)
    _, smallest = np.unique(component, return_index=True)
    name = pd.Series(digests[smallest[component]], index=digests, dtype="str")
    return files["digest"].map(name)


def _split_sources(files: pd.DataFrame, seed: int) -> pd.Series:
    """Return the official splits, and the project's own of sources without one."""
    split = files["split"].copy()
    unsplit = files[split.isna() & (files["left_out"] == "")]
    placed: dict[str, str] = {}
    for _, rows in unsplit.groupby("source"):
        made = split_by_group(rows, SplitFractions(), seed)
        # A picture that an earlier source holds too stays where that one has it.
        placed = dict(zip(made["group"], made["split"], strict=True)) | placed
    split.loc[unsplit.index] = unsplit["group"].map(placed)
    return split


def _is_in_a_later_split(files: pd.DataFrame, alike: pd.DataFrame) -> pd.Series:
    """Tell of each file whether a later split holds its content, or one that looks the same."""
    order = files["split"].map(SPLITS.index)
    last = order.groupby(files["digest"]).max()
    pairs = alike[alike["first"].isin(last.index) & alike["second"].isin(last.index)]
    first, second = (pairs[name].to_numpy(object) for name in ("first", "second"))
    reached = pd.concat(
        [last, pd.Series(last[second].to_numpy(), first), pd.Series(last[first].to_numpy(), second)]
    )
    return order < files["digest"].map(reached.groupby(level=0).max())
