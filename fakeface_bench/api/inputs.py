"""What people have in a session, as what studies take: tables of pictures, networks in memory.

Both are kept in the cache by their value, so the same table or network is the same study again.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL
from fakeface_bench.data.array_store import content_key, publish_folder
from fakeface_bench.data.class_words import SPLITS, class_of, split_of
from fakeface_bench.data.label_table import GENERATORS_FILE
from fakeface_bench.support.disk import cache_folder, locked
from fakeface_bench.support.errors import UsageError

#: Columns of a table of pictures; the first two are needed.
COLUMNS = ("path", "label", "split", "source", "generator", "released")
_NEEDED = COLUMNS[:2]
_MOST_SHOWN = 3
_LONGEST_SOURCE = 60
#: What a source is called that nobody names.
_SOURCE = "table"


@dataclass(frozen=True, slots=True)
class _Picture:
    """One row of a table, checked."""

    path: Path
    label: int
    split: str
    source: str
    generator: str
    released: str


def data_of(given: Any, parameter: str = "data") -> str:
    """Return a dataset's name or folder; for a table a folder of links to its pictures.

    Args:
        given: A name, a folder, or a DataFrame with the columns `path` and `label` (`real`, `fake`,
            or the numbers 0 and 1, 1 for fake), and where wanted `split` (`train`, `valid`,
            `test`), `source`, `generator` and `released`.

    Raises:
        UsageError: If a column is missing, a value means nothing, or a file is not there.
    """
    if not isinstance(given, pd.DataFrame):
        if not isinstance(given, (str, os.PathLike)):
            raise UsageError(
                f"{parameter} is {type(given).__name__}, which is neither a name, a folder, nor a "
                "DataFrame with the columns path and label."
            )
        return os.fspath(given)
    pictures = list(_pictures(given, parameter))
    unsplit = sum(not picture.split for picture in pictures)
    if 0 < unsplit < len(pictures):
        raise UsageError(
            f"{parameter} names the split of some pictures, and of {unsplit:,} none: name all, or "
            "leave the column out."
        )
    _check_files([picture.path for picture in pictures], parameter)
    rows = [[str(value) for value in _values(picture)] for picture in pictures]
    key = content_key({"rows": rows})
    root = _kept(cache_folder("tables") / key, lambda draft: _link(pictures, draft))
    sources = sorted({picture.source for picture in pictures})
    return "+".join(str(root / source) for source in sources)


def _values(picture: _Picture) -> tuple[object, ...]:
    return tuple(getattr(picture, name) for name in COLUMNS)


def _pictures(table: pd.DataFrame, parameter: str) -> Iterator[_Picture]:
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        has = ", ".join(map(str, table.columns)) or "none"
        raise UsageError(
            f"{parameter} has no column {missing[0]!r}: a table of pictures needs "
            f"{' and '.join(_NEEDED)}; it has {has}."
        )
    unknown = [str(name) for name in table.columns if name not in COLUMNS]
    if unknown:
        raise UsageError(
            f"{parameter} has the column {unknown[0]!r}, which means nothing here: "
            f"{', '.join(COLUMNS)} do; drop it, or name it as one of these."
        )
    if table.empty:
        raise UsageError(f"{parameter} is empty: a table needs a row a picture.")
    columns = {name: table[name] if name in table else [""] * len(table) for name in COLUMNS}
    for number, values in enumerate(zip(*columns.values(), strict=True)):
        row = dict(zip(COLUMNS, values, strict=True))
        where = f"row {number} of {parameter}"
        text = {name: _text(row[name]) for name in COLUMNS[2:]}
        picture = _Picture(
            path=_path(row["path"], where),
            label=_label(row["label"], where),
            split=_split(text["split"], where),
            source=_source(text["source"], where),
            generator=text["generator"],
            released=text["released"],
        )
        if picture.generator and picture.label == REAL:
            raise UsageError(
                f"{where}: a real picture has the generator {picture.generator!r}; only fakes "
                "have one."
            )
        yield picture


def _text(value: Any) -> str:
    """Return a cell's text; empty where it is missing. Dates lose the hour, years the point."""
    if pd.isna(value):
        return ""
    if isinstance(value, (pd.Timestamp, datetime)):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _path(value: Any, where: str) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise UsageError(f"{where}: path {value!r} is none.")
    return Path(os.fspath(value)).expanduser().absolute()


def _label(value: Any, where: str) -> int:
    if isinstance(value, str):
        label = None if value.strip() in ("0", "1") else class_of(value.strip())
        if label is not None:
            return label
    elif not pd.isna(value) and value in (REAL, FAKE):
        return int(value)
    raise UsageError(
        f"{where}: label {value!r} is neither 'real' nor 'fake', nor one of the numbers "
        f"{REAL} ({CLASS_NAMES[REAL]}) and {FAKE} ({CLASS_NAMES[FAKE]})."
    )


def _split(text: str, where: str) -> str:
    split = split_of(text) if text else ""
    if split is None:
        raise UsageError(f"{where}: split {text!r} is not one of {', '.join(SPLITS)}.")
    return split


def _source(text: str, where: str) -> str:
    if set(text) & set("/\\+,:") or text.startswith(".") or len(text) > _LONGEST_SOURCE:
        raise UsageError(
            f"{where}: source {text[:_LONGEST_SOURCE]!r} holds a mark that names of sources "
            f"cannot (/ \\ + , : or a dot at its begin), or over {_LONGEST_SOURCE} letters."
        )
    return text or _SOURCE


def _check_files(paths: list[Path], parameter: str) -> None:
    counts = pd.Series(paths).value_counts()
    twice = [str(path) for path in counts.index[counts > 1]]
    if twice:
        raise UsageError(f"{parameter} names {_some(twice)} more than once; name a file once.")
    gone = [str(path) for path in paths if not path.is_file()]
    if gone:
        raise UsageError(
            f"{parameter} names {len(gone):,} of {len(paths):,} files that are not there: "
            f"{_some(gone)}."
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN:,} more" * (len(names) > _MOST_SHOWN)
    return f"{', '.join(names[:_MOST_SHOWN])}{more}"


def _link(pictures: list[_Picture], root: Path) -> None:
    """Lay a table out as the folders of one dataset a source."""
    named: dict[str, list[list[str]]] = {}
    for number, picture in enumerate(pictures):
        below = Path(picture.split, CLASS_NAMES[picture.label])
        link = below / f"{number:07d}-{picture.path.name}"
        folder = root / picture.source
        (folder / below).mkdir(parents=True, exist_ok=True)
        (folder / link).symlink_to(picture.path)
        if picture.generator:
            row = [link.as_posix(), picture.generator, picture.released]
            named.setdefault(picture.source, []).append(row)
    for source, rows in named.items():
        table = pd.DataFrame(rows, columns=["file", "generator", "released"])
        table.to_csv(root / source / GENERATORS_FILE, index=False)


def model_of(given: Any) -> str:
    """Return a network's name or file; one in memory is written to a file in the cache.

    Args:
        given: A name, a file, or a `keras.Model` from pixels, whose blocks are found as those of a
            file are.
    """
    if isinstance(given, (str, os.PathLike)):
        return os.fspath(given)
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    import keras

    if not isinstance(given, keras.Model):
        raise UsageError(
            f"model is {type(given).__name__}, which is neither a name, a file, nor a keras.Model."
        )
    name = _OF_KERAS.sub(r"\1", re.sub(r"[^\w-]", "_", given.name))
    file = f"{name}.keras"
    folder = cache_folder("networks") / content_key({"value": _value_of(given), "name": name})
    return str(_kept(folder, lambda draft: given.save(draft / file)) / file)


def _kept(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder of the cache that holds what is made, whole or not at all."""
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            with publish_folder(folder) as draft:
                make(draft)
    return folder


#: Names that Keras gives to networks, numbered through a session.
_OF_KERAS = re.compile(r"^(functional|sequential|model)_\d+$")


def _value_of(network: Any) -> str:
    """Return a hash of a network's layers and weights, whatever Keras calls the layers.

    Built once more in the same session, a network has other names: they are numbered through.
    """
    places = {name: f"layer {number}" for number, name in enumerate(_names_in(network))}

    def renamed(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: renamed(value) for key, value in part.items()}
        if isinstance(part, list):
            return [renamed(value) for value in part]
        return places.get(part, part) if isinstance(part, str) else part

    config = json.dumps(renamed(json.loads(network.to_json())), sort_keys=True)
    digest = hashlib.sha256(config.encode())
    for value in network.get_weights():
        digest.update(value.tobytes())
    return digest.hexdigest()


def _names_in(network: Any) -> Iterator[str]:
    """Yield the name of a network and those of its layers, also of networks among them."""
    yield network.name
    for layer in getattr(network, "layers", ()):
        yield from _names_in(layer)
