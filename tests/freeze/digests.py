"""Digests of what report writers leave, of all that must be the same on any machine.

Numbers count to nine significant digits, for another processor's last ones differ. A table counts
by its values, a picture by its size and, drawn with the same libraries, its pixels.
"""

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import PIL
from matplotlib import ft2font
from PIL import Image
from plotly.offline import get_plotlyjs

#: A number with a fraction; that it is long is what tells it from a rounded one.
_FRACTION = re.compile(r"(?<![\w.])-?\d+\.\d+(?:[eE][+-]?\d+)?(?![\w.])")
_DIGITS = 9
_EMBEDDED = re.compile(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=]+)")
_PLOTS = re.compile(r'(<script type="application/json" id="plots">)(.*?)(</script>)', re.DOTALL)
_TEXTS = (".csv", ".html", ".json", ".jsonl", ".md", ".txt")
_HEX_DIGITS = 16

#: What decides the pixels of a picture, besides this project.
DRAWN_WITH = {
    "freetype": ft2font.__freetype_version__,
    "matplotlib": matplotlib.__version__,
    "pillow": PIL.__version__,
}


@dataclass(frozen=True, slots=True)
class Digested:
    """One file of a report.

    Attributes:
        files: Its digest, or the size of a picture; those of pictures within it, too.
        pixels: Digests of pixels, by the same names.
        text: What was digested; empty of a picture.
    """

    files: dict[str, str]
    pixels: dict[str, str]
    text: str = ""


def digested(folder: Path) -> Iterator[tuple[str, Digested]]:
    """Yield every file of a folder with what it comes to, in the order of their names.

    Raises:
        ValueError: If a file is of a kind that has no rule here.
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield path.relative_to(folder).as_posix(), _digested(path, folder)


def _digested(path: Path, folder: Path) -> Digested:
    name = path.relative_to(folder).as_posix()
    if path.suffix == ".png":
        size, pixels = _picture(path.read_bytes())
        return Digested({name: size}, {name: pixels})
    if path.suffix == ".parquet":
        text = _table(path)
        return Digested({name: digest(text)}, {}, text)
    if path.suffix not in _TEXTS:
        raise ValueError(f"{name}: say in {__name__} what of a {path.suffix} file is frozen")
    text = path.read_bytes().decode("utf-8").replace(_plotly(), "(plotly.js)")
    text, pictures = _without_pictures(text)
    text = rounded(text)
    text = _PLOTS.sub(lambda found: found[1] + _canonical(found[2]) + found[3], text)
    inside = {f"{name} picture {number:02}": of for number, of in enumerate(pictures, start=1)}
    files = {name: digest(text)} | {key: size for key, (size, _) in inside.items()}
    return Digested(files, {key: pixels for key, (_, pixels) in inside.items()}, text)


def digest(text: str) -> str:
    """Return a short digest of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX_DIGITS]


def rounded(text: str) -> str:
    """Round numbers of more than nine significant digits in a text; all others stay as written."""
    return _FRACTION.sub(_short, text)


def _short(found: re.Match[str]) -> str:
    written = found[0]
    digits = written.partition("e")[0].partition("E")[0].lstrip("-").replace(".", "").lstrip("0")
    return repr(float(f"{float(written):.{_DIGITS}g}")) if len(digits) > _DIGITS else written


def _canonical(plots: str) -> str:
    """Return a page's plots as JSON line by line, its keys in their order."""
    return f"\n{json.dumps(json.loads(plots), indent=1)}\n"


@cache
def _plotly() -> str:
    return str(get_plotlyjs())


def _without_pictures(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Take embedded pictures out of a page; return sizes and digests of pixels in their order."""
    found: list[tuple[str, str]] = []

    def taken(match: re.Match[str]) -> str:
        found.append(_picture(base64.b64decode(match[2])))
        return f"data:image/{match[1]};{found[-1][0]}"

    return _EMBEDDED.sub(taken, text), found


def _picture(content: bytes) -> tuple[str, str]:
    with Image.open(io.BytesIO(content)) as image:
        pixels = np.asarray(image.convert("RGBA"))
        size = f"{image.width}x{image.height} px"
    return size, hashlib.sha256(pixels.tobytes()).hexdigest()[:_HEX_DIGITS]


def _table(path: Path) -> str:
    """Return columns, their types and values of a Parquet file as text."""
    table = pd.read_parquet(path)
    types = [f"{name}: {kind}" for name, kind in table.dtypes.astype(str).items()]
    rows = [" | ".join(map(_cell, row)) for row in table.itertuples()]
    return rounded("\n".join([*types, *rows, ""]))


def _cell(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)
