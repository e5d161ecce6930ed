"""Made-up audits of 32 images that are nowhere, or somewhere, and what may be wrong with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from fakeface_bench.data.audit import Audit
from fakeface_bench.records.study import ShortcutFloor

PAIR_COLUMNS = ("first", "second", "kind", "distance", "across_splits", "opposite_labels")

Pair = tuple[int, int, str, int]


def image_files(splits: dict[str, int] | None = None) -> pd.DataFrame:
    """Make rows of so many images of each class in each split, all alike but in size."""
    sizes = {"train": 8, "valid": 4, "test": 4} if splits is None else splits
    places = [(s, label) for s, n in sizes.items() for label in (0, 1) for _ in range(n)]
    number = np.arange(len(places))
    return pd.DataFrame(
        {
            "source": "faces",
            "path": [f"{s}/{label}/{n:03}.jpg" for n, (s, label) in enumerate(places)],
            "label": [label for _, label in places],
            "split": [split for split, _ in places],
            "place": [f"faces/{split}" for split, _ in places],
            "group": [f"{n:064x}" for n in number],
            "kin": [f"{n:064x}" for n in number],
            "category": "",
            "generator": "",
            "released": "",
            "tier": "",
            "size": 20_000 + 100 * (number % 7),
            "error": "",
            "left_out": "",
            "format": "JPEG",
            "width": 64,
            "height": 64,
            "mode": "RGB",
            "quantisation": "0123456789ab",
            "quality": 5.5,
            "subsampling": "4:2:0",
            "progressive": False,
            "exif": False,
            "icc": False,
            "frames": 1,
            "wrong_extension": False,
        }
    )


def an_audit(folder: Path = Path("nowhere"), pairs: tuple[Pair, ...] = (), **given: Any) -> Audit:
    """Make an audit of 32 images; of what pairs are, splits and labels follow from the files."""
    files = given.pop("files", image_files())
    split, label = files["split"].tolist(), files["label"].tolist()
    rows = [
        (*pair, "" != split[pair[0]] != split[pair[1]] != "", label[pair[0]] != label[pair[1]])
        for pair in pairs
    ]
    return Audit(
        **{
            "name": "faces",
            "folders": {"faces": folder},
            "digest": "ab" * 32,
            "files": files,
            "pairs": pd.DataFrame(rows, columns=list(PAIR_COLUMNS)),
            "skipped": pd.DataFrame(columns=["source", "path", "reason"]),
            "own_split": (),
            "floor": a_floor(),
            **given,
        }
    )


def a_floor(roc_auc: float = 0.55, low: float = 0.48, high: float = 0.59) -> ShortcutFloor:
    alone = {"file size": 0.53, "dimensions": 0.5, "JPEG quantisation": 0.6}
    return ShortcutFloor(roc_auc, low, high, 250, alone)


def two_sources() -> pd.DataFrame:
    """Make 16 images of `own`, split by the project, and the rest of `official`."""
    files = image_files()
    is_own = files.groupby(["split", "label"]).cumcount() % 2 == 0
    files["source"] = np.where(is_own, "own", "official")
    files["place"] = files["source"].where(is_own, "official/" + files["split"])
    return files


def a_mix(**given: Any) -> Audit:
    """Make an audit of both."""
    files = given.pop("files", two_sources())
    folders = {"own": Path("one"), "official": Path("two")}
    return an_audit(**{"files": files, "folders": folders, "own_split": ("own",), **given})


def with_pictures(folder: Path, files: pd.DataFrame) -> Path:
    """Write a picture for every row, each of its own grey."""
    for number, path in enumerate(files["path"]):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (10 + number, 40, 60)).save(folder / path, "JPEG")
    return folder


def changed(**columns: dict[int, Any]) -> pd.DataFrame:
    """Return the files with other values in some rows of some columns."""
    files = image_files().astype({"path": "object", "error": "object"})
    for column, values in columns.items():
        for row, value in values.items():
            files.at[row, column] = value
    return files


def a_full_audit(folder: Path) -> Audit:
    """Images on disk, 14 pairs across splits, one within, one of opposite labels."""
    files = image_files({"train": 20, "valid": 4, "test": 20})
    files.loc[3, "width"] = 70
    across = tuple((n, 48 + n, "similar", 30 - n) for n in range(13))
    rest: tuple[Pair, ...] = (
        (19, 60, "identical", 0),
        (0, 1, "mirrored", 5),
        (2, 22, "similar", 1),
    )
    return an_audit(with_pictures(folder, files), (*across, *rest), files=files)
