"""A CSV file that says of pictures whether they are real or fake, and what made them.

Its columns are found by their names. Which of 0 and 1 is fake differs from dataset to dataset, so
numbers are taken only where the column's name says what they mean, or the user does.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.class_words import and_joined, class_of, split_of
from fakeface_bench.data.layout import levels
from fakeface_bench.data.listing import Placed, PlacedImage, list_images, printable
from fakeface_bench.support.errors import DataError, shortened

#: What 1 and "yes" mean in a column that is a question.
_QUESTIONS: Mapping[str, int] = {"isfake": FAKE, "fake": FAKE, "isreal": REAL, "real": REAL}
#: Names of columns by what they hold, in letters and digits; the first that is there is taken.
_NAMES: Mapping[str, Sequence[str]] = {
    "path": (
        *("path", "file", "filename", "image", "filepath", "imagepath", "imagename", "img"),
        *("imagefilename", "name"),
    ),
    "label": (*_QUESTIONS, "label", "class", "target", "labelstr"),
    "split": ("split", "subset", "partition", "set"),
    "generator": ("generator", "modelused", "category", "method"),
    "released": ("released", "releasedate"),
}
_ANSWERS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no"), False),
}
_MOST_SHOWN = 3
#: The file that names generators: columns `file` and `generator`, and `label` and `released`
#: where these are known.
GENERATORS_FILE = "generators.csv"


@dataclass(frozen=True)
class LabelTable:
    """One file, its columns by what they hold: the keys of `_NAMES` that are there."""

    file: Path
    rows: pd.DataFrame
    columns: Mapping[str, str]

    def values(self, what: str) -> list[str]:
        """Return a column's texts; empty ones where there is no such column."""
        column = self.columns.get(what)
        return [""] * len(self.rows) if column is None else list(self.rows[column].str.strip())

    def labels(self, classes: Mapping[str, int]) -> dict[str, int]:
        """Return the label that each value of the column of labels states."""
        return {text: self._label(text, classes) for text in set(self.values("label")) if text}

    def _label(self, text: str, classes: Mapping[str, int]) -> int:
        column = self.columns["label"]
        question = _QUESTIONS.get(_plain(column))
        answer = _ANSWERS.get(text.lower())
        if question is not None and answer is not None:
            return question if answer else 1 - question
        label = class_of(text, classes)
        if label is not None:
            return label
        values = sorted(set(self.values("label")) - {""})
        other = next((value for value in values if value != text), "…")
        first, second = sorted((text, other))
        raise DataError(
            f"the column {column!r} of {self.file.name} holds {text!r}, which does not say whether "
            f"it is real or fake: name it with classes=real:{first},fake:{second}, or the other "
            "way round."
        )


def read_table(file: Path) -> LabelTable:
    """Read a CSV file, whether commas, semicolons or tabs part its columns."""
    try:
        with open(file, encoding="utf-8-sig") as opened:
            head = opened.readline()
        mark = max((",", ";", "\t"), key=head.count)
        rows = pd.read_csv(
            file, sep=mark, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
        )
    except (OSError, ValueError) as error:  # both of pandas's own are ValueErrors
        raise DataError(f"{file} cannot be read as a table: {shortened(error)}.") from error
    known = {_plain(name): name for name in map(str, rows.columns)}
    columns = {}
    for what, names in _NAMES.items():
        if there := [name for name in names if name in known]:
            columns[what] = known[there[0]]
    return LabelTable(file, rows, columns)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def placed_by_table(root: Path, classes: Mapping[str, int]) -> Placed | None:
    """Return the pictures that the shallowest CSV file of a dataset labels.

    Returns:
        None where no CSV file has a column of file names and one of labels.
    """
    for folder in itertools.chain.from_iterable(levels(root)):
        if tables := _tables_in(folder):
            return _placed(folder, tables, classes)
    return None


def _tables_in(folder: Path) -> list[LabelTable]:
    """Return the files of a folder that have both columns; that of generators where it is alone."""
    found = []
    for file in sorted(folder.glob("*")):
        if file.suffix.lower() in (".csv", ".tsv") and not file.name.startswith("."):
            table = read_table(file)
            if {"path", "label"} <= table.columns.keys():
                found.append(table)
    others = [table for table in found if table.file.name != GENERATORS_FILE]
    return others or found


def _placed(folder: Path, tables: Sequence[LabelTable], classes: Mapping[str, int]) -> Placed:
    splits = {table.file: split_of(table.file.stem) for table in tables}
    if len(tables) > 1 and (None in splits.values() or len(set(splits.values())) < len(tables)):
        names = and_joined([repr(table.file.name) for table in tables])
        raise DataError(f"{folder} holds several tables of labels ({names}); keep one of them.")
    listing = list_images(folder)
    files = FilesByName(folder, listing.images)
    images: dict[Path, PlacedImage] = {}
    skipped = list(listing.skipped)
    for table in tables:
        absent = []
        for image, name in _rows(table, files, splits[table.file], classes):
            if image is None:
                absent.append(name)
            elif images.setdefault(image.path, image) != image:
                raise DataError(
                    f"{table.file.name} has several rows for {name!r} that differ; keep one."
                )
        if absent:
            skipped.append((printable(table.file), absent_words(absent)))
    names = and_joined([table.file.name for table in tables])
    if not images:
        raise DataError(f"none of the pictures that {names} names lies in {folder}.")
    if unnamed := len(set(listing.images) - images.keys()):
        skipped.append(
            (printable(folder), f"holds {unnamed:,} pictures that {names} does not label")
        )
    ordered = sorted(images.values(), key=lambda image: image.path)
    return Placed(tuple(ordered), tuple(skipped), f"labels are those of {names}")


def absent_words(absent: Sequence[str]) -> str:
    """Say that a table names pictures that are not there."""
    if len(absent) == 1:
        return f"names a picture that is not there, {absent[0]!r}"
    return f"names {len(absent):,} pictures that are not there, such as {some(absent)}"


def some(names: Sequence[str]) -> str:
    """Return the first few of some names, quoted."""
    return and_joined([repr(name) for name in names[:_MOST_SHOWN]])


def _rows(
    table: LabelTable, files: "FilesByName", split: str | None, classes: Mapping[str, int]
) -> Iterator[tuple[PlacedImage | None, str]]:
    """Yield the picture of each row that has a label, None where it is not there; and its name."""
    labels = table.labels(classes)
    places = {text: split_of(text) for text in set(table.values("split")) if text}
    if strange := sorted(text for text, place in places.items() if place is None):
        raise DataError(
            f"{table.file.name} has the split {strange[0]!r}; there is train, valid and test."
        )
    columns = map(table.values, ("path", "label", "split", "generator", "released"))
    for name, label, place, generator, released in zip(*columns, strict=True):
        if name and label:
            where = places.get(place) or split
            path = files.named(name, where, table.file.name)
            image = path and PlacedImage(path, where, labels[label], generator, released)
            yield image or None, name


class FilesByName:
    """The pictures below a folder, found by what a table calls them."""

    def __init__(self, folder: Path, images: Sequence[Path]) -> None:
        self.by_path = {path.relative_to(folder).as_posix(): path for path in images}
        self.by_name: dict[str, list[Path]] = {}
        for path in images:
            for name in {path.name, path.stem}:
                self.by_name.setdefault(name, []).append(path)

    def named(self, name: str, split: str | None, table: str, exactly: bool = False) -> Path | None:
        """Return the picture that a table names, by as much of its path as fits; None for none.

        Args:
            exactly: Whether folders that the table states must be the picture's.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for start in range(1 if exactly else len(parts)):
            if path := self.by_path.get("/".join(parts[start:])):
                return path
        if exactly and len(parts) > 1:
            return None
        found = self.by_name.get(parts[-1], []) if parts else []
        of_split = [path for path in found if split in map(split_of, path.parts)]
        if split and of_split:
            found = of_split
        if len(found) > 1:
            raise DataError(
                f"{table} names {name!r}, which {len(found):,} pictures could be, such as "
                f"{found[0]} and {found[1]}; write their folders too."
            )
        return found[0] if found else None
