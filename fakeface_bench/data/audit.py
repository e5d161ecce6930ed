"""What is wrong with a dataset: broken files, duplicates, shortcuts; the record of an audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from fakeface_bench.data.index import content_digest
from fakeface_bench.data.selection import drawn_splits
from fakeface_bench.data.survey import Survey
from fakeface_bench.records.study import ResidualShortcut, ShortcutFloor


@dataclass(frozen=True)
class Audit:
    """All that an audit found.

    Attributes:
        files: The columns of `Survey.files`, without signatures, pixels and times, and those that
            `data.selection.select_files` adds: `place`, `group`, `kin`, `split`, `left_out`.
        pairs: One row a pair of duplicates: `first`, `second` (row numbers of `files`), `kind`
            (`identical` bytes or pixels, `similar`, `mirrored`; `twin`: another picture of the
            same face), `distance` (of the perceptual
            hashes, in bits of 256), `across_splits` (bool), `opposite_labels` (bool): of identical
            ones an error, of others a manipulation and its original. A picture of which k
            identical copies exist stands in k - 1 pairs of that kind.
        skipped: One row a path that was not read as an image: `source`, `path`, `reason` (`.gif is
            not read; JPEG, PNG and WebP are`, `cannot be listed: Permission denied`, ...).
        floor: What a classifier without pixels scores; None where there are too few images.
        source_floors: The same of each of several sources that has enough images, by its name.
        drawn: Of sources with a part of an official split: each other split, and from which
            official one the project drew it.
        residual: What residual statistics alone score; None where there are too few images, or
            where nobody asked.
    """

    name: str  # of the dataset, for people; several are joined by `+`
    folders: Mapping[str, Path]  # absolute folder of each source, by its name
    digest: str  # SHA-256 over the contents and labels of all images that a study would use
    files: pd.DataFrame
    pairs: pd.DataFrame
    skipped: pd.DataFrame
    own_split: tuple[str, ...]  # names of the sources whose split the project made
    floor: ShortcutFloor | None
    source_floors: Mapping[str, ShortcutFloor] = field(default_factory=dict)
    drawn: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    residual: ResidualShortcut | None = None

    @property
    def used(self) -> pd.DataFrame:
        """The files that are not left out."""
        return self.files[self.files["left_out"] == ""]


def make_audit(survey: Survey, files: pd.DataFrame, floors: Mapping[str, ShortcutFloor]) -> Audit:
    """Bring together what was found; the floor of all sources has the empty name."""
    used = files[files["left_out"] == ""]
    return Audit(
        name=survey.name,
        folders={source.name: source.folder for source in survey.sources},
        digest=content_digest(used[["digest", "label"]]),
        files=files.drop(columns=["signature", "pixels", "mtime_ns"]),
        pairs=_pairs(files, survey.alike),
        skipped=survey.skipped,
        own_split=tuple(
            source.name for source in survey.sources if source.name in set(files["place"])
        ),
        floor=floors.get(""),
        source_floors={name: floor for name, floor in floors.items() if name},
        drawn=drawn_splits(files),
    )


def _pairs(files: pd.DataFrame, alike: pd.DataFrame) -> pd.DataFrame:
    """Return pairs of files: each copy with the first of its pixels, and those that look alike."""
    readable = files[files["error"] == ""]
    numbers = pd.Series(readable.index, index=readable["pixels"])
    first = numbers.groupby(level=0).transform("first")
    copies = pd.DataFrame({"first": first.to_numpy(), "second": numbers.to_numpy()})
    copies = copies[copies["first"] < copies["second"]].assign(kind="identical", distance=0)
    # Of each content one file a split and label: enough to show where its pictures stand.
    places = readable.drop_duplicates(["digest", "split", "label"])
    similar = alike.rename(columns={"first": "one", "second": "other"})
    for digest, name in (("one", "first"), ("other", "second")):
        held = pd.DataFrame({digest: places["digest"], name: places.index})
        similar = similar.merge(held, on=digest)
    pixels = files["pixels"].to_numpy(object)
    similar = similar[pixels[similar["first"]] != pixels[similar["second"]]]
    group, kin = (files[name].to_numpy(object) for name in ("group", "kin"))
    ends = similar["first"], similar["second"]
    similar = similar[kin[ends[0]] == kin[ends[1]]]
    is_twin = group[similar["first"]] != group[similar["second"]]
    kind = np.where(is_twin, "twin", np.where(similar["mirrored"], "mirrored", "similar"))
    similar = similar.assign(kind=kind)
    pairs = pd.concat([copies, similar[[*copies.columns]]], ignore_index=True)
    return _described(pairs, files)


def _described(pairs: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    """Put the earlier file first, and add where the two differ in split or label."""
    numbers = np.sort(pairs[["first", "second"]].to_numpy(np.int64), axis=1)
    pairs[["first", "second"]] = numbers
    split, label = (files[name].to_numpy(object)[numbers] for name in ("split", "label"))
    return pairs.assign(
        across_splits=(split != "").all(axis=1) & (split[:, 0] != split[:, 1]),
        opposite_labels=label[:, 0] != label[:, 1],
    ).astype({"across_splits": bool, "opposite_labels": bool})
