"""Reads every image file once: all that an index and an audit need to know of it, remembered."""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageOps, JpegImagePlugin

from fakeface_bench.data.deadly import DEADLY, deadly_contents
from fakeface_bench.data.decode import DECODER, opened, upright_rgb
from fakeface_bench.data.listing import IMAGE_SUFFIXES
from fakeface_bench.support.disk import (
    SMALL_FILE_BYTES,
    cache_folder,
    full_disk_error,
    locked,
    replaced_whole,
)
from fakeface_bench.support.errors import DataError, shortened
from fakeface_bench.support.progress import Progress

#: Side of the hash: 16 × 16 bits of the lowest frequencies.
HASH_SIDE = 16
HASH_BYTES = HASH_SIDE**2 // 8
#: Side of the small copy whose colours are compared.
THUMBNAIL_SIDE = 16
#: Raise it with any change here that alters a signature.
SIGNATURE_VERSION = 1
SIGNATURE_BYTES = 2 * HASH_BYTES + 3 * THUMBNAIL_SIDE**2

#: Side at which `imagehash.phash` takes its cosine transform.
_HASHED_SIDE = 4 * HASH_SIDE
#: Below this standard deviation of its grey values an image shows nothing: all such look alike.
_LEAST_CONTRAST = 2.0
#: Hashes compared at once: their differences stay in a core's cache.
ROWS, _COLUMNS = 16, 4096

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.signedinteger[Any]]


def near_rows(ours: Words, theirs: Words, most_bits: int) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield row numbers of the pairs of hashes that differ in at most so many bits.

    Args:
        ours: Hashes as words of 64 bits, shape (few, words).
        theirs: What each of them is compared with, shape (n, words).
    """
    for column in range(0, len(theirs), _COLUMNS):
        others = theirs[column : column + _COLUMNS]
        distance = np.bitwise_count(ours[:, :1] ^ others[:, 0])
        for word in range(1, ours.shape[1]):
            further = np.bitwise_count(ours[:, word, None] ^ others[:, word])
            distance = np.add(distance, further, dtype=np.uint16)
        first, second = np.nonzero(distance <= most_bits)
        yield first, second + column


def signature(image: Image.Image) -> bytes:
    """Return the signature of an RGB image: its hash, its mirror's hash, a thumbnail.

    Returns:
        `SIGNATURE_BYTES` bytes: two perceptual hashes of 256 bits (DCT of the grey image, each of
        its 16 × 16 lowest frequencies above or below their median), then 16 × 16 RGB. Empty for an
        image without contrast, whose hash would be that of any other such image.
    """
    grey = _shrunk(image.convert("L"), _HASHED_SIDE, Image.Resampling.LANCZOS)
    if np.asarray(grey).std() < _LEAST_CONTRAST:
        return b""
    hashes = (_hash(grey), _hash(ImageOps.mirror(grey)))
    thumbnail = _shrunk(image, THUMBNAIL_SIDE, Image.Resampling.BOX)
    return b"".join((*hashes, thumbnail.tobytes()))


def _shrunk(image: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    """Resize to a square; an integer reduction before it costs no visible detail."""
    return image.resize((side, side), resampling, reducing_gap=2.0)


def _hash(grey: Image.Image) -> bytes:
    return np.packbits(imagehash.phash(grey, hash_size=HASH_SIDE).hash).tobytes()


#: Every fact, and its value where a file cannot be read.
FACTS: Mapping[str, Any] = {
    "digest": "",  # SHA-256 of the content
    "error": "",  # why it does not decode
    "format": "",  # Pillow's: JPEG, PNG, WEBP, ...
    "width": 0,  # in pixels
    "height": 0,
    "mode": "",  # Pillow's, of the file: RGB, L, CMYK, P, RGBA, I;16, ...
    "quantisation": "",  # 12 hex digits naming a JPEG's tables, empty for other formats
    "quality": float("nan"),  # mean of a JPEG's luminance table
    "subsampling": "",  # of a JPEG: 4:2:0
    "progressive": False,
    "exif": False,
    "icc": False,
    "frames": 0,  # above 1 for an animation, of which the first is used
    "wrong_extension": False,
    "signature": b"",  # see `signature`
    "pixels": "",  # SHA-256 of the size and every decoded pixel
}
#: Larger files are not read: no picture of a face needs as much.
MAX_BYTES = 256 * 2**20
#: Stands for a digest where a file could not be opened.
NOT_OPENED = "unreadable"

_SUBSAMPLING: Mapping[int, str] = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_DIGEST_DIGITS = 12
_MOST_PAGES = 1_000


def read_facts(path: Path, deadly: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Read a file once and return all its `FACTS`; one that is no image says why in `error`.

    Args:
        deadly: SHA-256 of contents that are not to be decoded.
    """
    try:
        content = _read(path)
    except OSError as error:
        return {**FACTS, "digest": NOT_OPENED, "error": error.strerror or str(error)}
    except DataError as error:
        return {**FACTS, "digest": NOT_OPENED, "error": str(error)}
    known = {**FACTS, "digest": hashlib.sha256(content).hexdigest()}
    if not content:
        return {**known, "error": "the file is empty"}
    if known["digest"] in deadly:
        return {**known, "error": DEADLY}
    try:
        with opened(io.BytesIO(content)) as image:
            found = _jpeg(image) | _looks(upright_rgb(image)) | _metadata(image)
    except DataError as error:
        return {**known, "error": str(error)}
    allowed = IMAGE_SUFFIXES[path.suffix.lower()]
    return known | found | {"wrong_extension": found["format"] not in allowed}


def _read(path: Path) -> bytes:
    """Read a file, unless it might never end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DataError("it is no regular file")
    if status.st_size > MAX_BYTES:
        raise DataError(f"it has {status.st_size:,} bytes, at most {MAX_BYTES:,} are read")
    return path.read_bytes()


def _looks(image: Image.Image) -> dict[str, Any]:
    """Describe what an RGB image shows; `pixels` is a digest of its size and every pixel."""
    pixels = hashlib.sha256(f"{image.width} {image.height} ".encode() + image.tobytes())
    return {"signature": signature(image), "pixels": pixels.hexdigest()}


def _metadata(image: Image.Image) -> dict[str, Any]:
    """Describe an image that is loaded: a PNG's EXIF data may follow its pixels."""
    return {
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "exif": "exif" in image.info,
        "icc": "icc_profile" in image.info,
        "frames": _frames(image),
    }


def _frames(image: Image.Image) -> int:
    """Return how many frames an image has; further views, in an MPO, of one picture are none.

    A TIFF's are counted up to `_MOST_PAGES`: counting is slow work there.
    """
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1) if image.format != "MPO" else 1
    pages = 1
    try:
        while pages < _MOST_PAGES:
            image.seek(pages)
            pages += 1
    except EOFError:
        return pages
    finally:
        image.seek(0)
    return pages


def _jpeg(image: Image.Image) -> dict[str, Any]:
    """Describe how a JPEG was compressed; nothing for other formats."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return {}
    tables = sorted((number, *table) for number, table in image.quantization.items())
    name = hashlib.sha256(repr(tables).encode()).hexdigest()[:_DIGEST_DIGITS]
    return {
        "quantisation": name,
        "quality": float(np.mean(image.quantization.get(0, (0,)))),
        "subsampling": _SUBSAMPLING.get(JpegImagePlugin.get_sampling(image), "other"),
        "progressive": "progressive" in image.info,
    }


#: Raise it with any change of a fact's meaning, or of what a file is known again by.
FACTS_VERSION = 3
#: When a file's entry changed: programs can set a file's other time back, not this one.
_CHANGED = "ctime_ns"
#: A memory ends in the SHA-256 of its table: Parquet's own checksums leave out its footer, where
#: names and types stand.
_DIGEST_BYTES = 32
_KEY = ["path", "size", "mtime_ns", _CHANGED]
_PANDAS_TYPES = {bool: "bool", int: "int64", float: "float64", str: "str", bytes: "object"}
_TYPES = {name: _PANDAS_TYPES[type(absent)] for name, absent in FACTS.items()}


def inspect_files(
    root: Path,
    paths: Sequence[Path],
    progress: Progress,
    count_read: Callable[[int], object] = lambda files: None,
) -> pd.DataFrame:
    """Return the facts of each file, remembering them for files of the same size and times.

    Args:
        count_read: Called with the number of files that are read now.

    Returns:
        One row a path, in their order: `path` relative to `root`, `size` in bytes, `mtime_ns`,
        and the columns of `FACTS`.
    """
    stats = pd.DataFrame([_stat(path, len(str(root))) for path in paths], columns=_KEY)
    memory, deadly = _memory_of(root), deadly_contents()
    table, fault = _remembered(stats, memory)
    if table["digest"].isna().any():
        with locked(memory.with_suffix(".lock")):
            table, fault = _remembered(stats, memory)  # another process may have read them
            if fault:
                progress.warn(f"{memory} is broken, and the images are read again: {fault}")
            unread = table.index[table["digest"].isna()]
            if len(unread):
                count_read(len(unread))
                fresh = _read_all([paths[i] for i in unread], deadly, progress)
                table = _joined(stats, table, fresh, unread)
                _remember(table, memory)
    table.loc[table["digest"].isin(deadly), "error"] = DEADLY
    return table.drop(columns=_CHANGED)


def _remembered(stats: pd.DataFrame, memory: Path) -> tuple[pd.DataFrame, str]:
    """Return the files with what is remembered of them, and what is wrong with the memory."""
    nothing = stats.merge(_nothing_known(stats), how="left", on=_KEY)
    if not memory.exists():
        return nothing, ""
    try:
        kept = memory.read_bytes()
    except OSError as error:
        return nothing, shortened(error)
    table, digest = kept[:-_DIGEST_BYTES], kept[-_DIGEST_BYTES:]
    if hashlib.sha256(table).digest() != digest:
        return nothing, "it is not as it was written"
    known = pd.read_parquet(io.BytesIO(table))
    return stats.merge(known[[*_KEY, *FACTS]], how="left", on=_KEY), ""


def _joined(
    stats: pd.DataFrame, table: pd.DataFrame, fresh: pd.DataFrame, unread: pd.Index
) -> pd.DataFrame:
    """Put the facts of files that were read now among the others."""
    fresh = pd.concat([stats.loc[unread].reset_index(drop=True), fresh], axis=1)
    table = pd.concat([table.drop(unread), fresh.set_index(unread)]).sort_index()
    return table.astype(_TYPES)  # rows without facts have made numbers of them floats


def _nothing_known(stats: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([stats.head(0), _facts_frame([])], axis=1)


def _memory_of(root: Path) -> Path:
    """Name the file that remembers a folder's facts, as these versions read them."""
    read_by = f"{root}|{DECODER}|{SIGNATURE_VERSION}|{FACTS_VERSION}"
    return cache_folder("files") / f"{hashlib.sha256(read_by.encode()).hexdigest()[:16]}.facts"


def _remember(table: pd.DataFrame, memory: Path) -> None:
    """Write all but files that could not be opened: that may be fixed without a trace."""
    draft = memory.with_suffix(f".{os.getpid()}")
    with (
        full_disk_error(memory.parent, lambda: SMALL_FILE_BYTES),
        replaced_whole(memory, draft),
    ):
        written = table[table["digest"] != NOT_OPENED].to_parquet()
        draft.write_bytes(written + hashlib.sha256(written).digest())


def _read_all(paths: Sequence[Path], deadly: frozenset[str], progress: Progress) -> pd.DataFrame:
    rows = []
    with (
        progress.stage("reading files", len(paths), "images") as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for facts in pool.map(partial(read_facts, deadly=deadly), paths):
            rows.append(facts)
            advance(1)
    return _facts_frame(rows)


def _facts_frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return facts as a table whose columns have one type each, with or without rows."""
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in _TYPES.items()}
    )


def _stat(path: Path, root_length: int) -> tuple[str, int, int, int]:
    relative = str(path)[root_length:].lstrip(os.sep)  # much quicker than `Path.relative_to`
    try:
        stat = path.stat()
    except OSError:  # a dangling link: reported as unreadable by read_facts
        return relative, -1, -1, -1
    return relative, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
