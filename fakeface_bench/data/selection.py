"""Decides which files a study uses, and in which split: no picture stands on both sides of one."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fakeface_bench.data.layout import SPLITS
from fakeface_bench.data.splits import SplitFractions, split_by_group
from fakeface_bench.data.survey import Survey
from fakeface_bench.errors import DataError

#: Why a file is left out.
UNREADABLE = "unreadable"
BOTH_LABELS = "both labels"
HELD_OUT_COPY = "copy of a held-out image"


def select_files(survey: Survey, seed: int) -> pd.DataFrame:
    """Return the survey's files with the columns `place`, `group`, `split` and `left_out`.

    Files that show one picture, copy by copy, are one `group`: the same bytes, or a chain of
    contents that look alike. Left out are files that cannot be decoded; groups found with both
    labels; and of a group that stands in several splits, what is not in the latest (of train,
    valid, test): in train it would be learned by heart, in valid it would let test choose among
    the trials. So a group ends with one label and in one split. Where the project makes the split
    no group is divided, and each source is divided by itself, save what another holds already.

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
    both = readable.groupby("group")["label"].transform("nunique") > 1
    files.loc[both.index[both], "left_out"] = BOTH_LABELS
    files["split"] = _split_sources(files, seed)
    order = _order(files[files["left_out"] == ""])
    behind = order < order.groupby(files["group"]).transform("max")
    files.loc[behind.index[behind], "left_out"] = HELD_OUT_COPY
    return files


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
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(names),) * 2)
    _, component = connected_components(graph, directed=False)
    _, smallest = np.unique(component, return_index=True)
    return pd.Series(names[smallest[component]][number], index=survey.files.index, dtype="str")


def _split_sources(files: pd.DataFrame, seed: int) -> pd.Series:
    """Return the official splits, and the project's own of sources without one."""
    usable = files[files["left_out"] == ""]
    official = usable[usable["split"].notna()]
    latest = official.loc[_order(official).sort_values(kind="stable").index]
    placed: dict[str, str] = dict(zip(latest["group"], latest["split"], strict=True))
    unsplit = usable[usable["split"].isna()]
    for _, rows in unsplit.groupby("source"):
        # A picture that another source holds too stays where that one has it.
        placed = _own_split(rows, seed) | placed
    split = files["split"].copy()
    split.loc[unsplit.index] = unsplit["group"].map(placed).astype("str")
    return split.fillna("")


def _own_split(rows: pd.DataFrame, seed: int) -> dict[str, str]:
    """Return the split of each group; none of a source too small for it, which an index refuses."""
    try:
        made = split_by_group(rows, SplitFractions(), seed)
    except DataError:
        return {}
    return dict(zip(made["group"], made["split"], strict=True))


def _order(files: pd.DataFrame) -> pd.Series:
    """Number the splits of files; none comes before train."""
    return files["split"].map({split: number for number, split in enumerate(SPLITS)}).fillna(-1)
