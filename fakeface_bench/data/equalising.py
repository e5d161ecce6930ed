"""What all pictures of a dataset are brought to, so that none shows how it was kept.

Encoding a picture again with the tables that it was encoded with changes little, so what is to
look alike is brought to the strongest compression that is common among the files. Other
tables would leave the traces of two encodings in those files, and a network sees them (measured by
benchmarks/equalising.py). Scaling is no different: a picture that is scaled to the side that it
has keeps its pixels, all others lose their finest detail.
"""

import io
from functools import cache
from statistics import mean

import pandas as pd
from PIL import Image

from fakeface_bench.config import CLASS_NAMES, UNTOUCHED, equalising_quality
from fakeface_bench.data.decode import Equalisation

#: A smaller share of a class does not give it away.
LEAST_SHARE = 0.05
#: Where no file is a JPEG, or none of a known quality.
DEFAULT_QUALITY = 90
#: Below this, little of a face's detail is left, and of a generator's traces nothing.
LEAST_QUALITY = 30


def equalisation_for(canvas: int, equalise: str, files: pd.DataFrame) -> Equalisation:
    """Return what every picture passes first, where studies ask for these options.

    Args:
        files: As `common_quality` takes them, of the dataset.
    """
    if equalise == UNTOUCHED:
        return Equalisation(canvas)
    return Equalisation(canvas, equalising_quality(equalise) or common_quality(files))


def common_quality(files: pd.DataFrame) -> int:
    """Return the JPEG quality, Pillow's, that at most a twentieth of each class's JPEGs are below.

    Args:
        files: Columns `label`, and `quality`: the mean of a JPEG's luminance table, missing for
            other formats.
    """
    lowest = []
    for _, tables in files.groupby("label")["quality"]:
        jpegs = tables.dropna()
        if len(jpegs) >= LEAST_SHARE * len(tables):
            # A larger table is a lower quality.
            lowest.append(quality_of(float(jpegs.quantile(1 - LEAST_SHARE, "higher"))))
    return max(LEAST_QUALITY, min(lowest, default=DEFAULT_QUALITY))


def more_compressed(files: pd.DataFrame, quality: int) -> pd.Series:
    """Return which files are JPEGs of a lower quality than this: their traces outlast it.

    Of quality 0, which stands for no JPEG, there is none.
    """
    if not quality:
        return pd.Series(False, index=files.index)
    return files["quality"] > _means()[quality] + 0.5


def unevenly_scaled(files: pd.DataFrame, side: int) -> str:
    """Return a warning of pictures that a canvas leaves as they are, or makes larger.

    Empty where it treats all alike.

    Args:
        files: Columns `width`, `height`, `label`, `generator`.
        side: Of the canvas in pixels.
    """
    short = files[["width", "height"]].min(axis=1)
    if (short == side).all():
        return (
            f"the short side of every picture is {side} px already: canvas={side} scales none of "
            "them"
        )
    found = {
        f"have {side} px already and are not scaled": short == side,
        f"are smaller than {side} px and are scaled up": short < side,
    }
    told = [f"{_whose(files[rows])} {how}" for how, rows in found.items() if 0 < rows.mean() < 1]
    if not told:
        return ""
    return (
        f"{'; '.join(told)}; the others are not: a network may tell them apart by that. A canvas "
        f"under {short.min()} px scales all of them down"
    )


#: So many generators are named, those with the most pictures first.
_NAMED = 4


def _whose(files: pd.DataFrame) -> str:
    """Return how many pictures there are of each class or, where it is known, generator."""
    whose = (
        files["label"]
        .map(dict(enumerate(CLASS_NAMES)))
        .where(files["generator"] == "", files["generator"])
    )
    counts = [f"{count:,} of {name}" for name, count in whose.value_counts().items()]
    others = [f"{len(counts) - _NAMED} more"] * (len(counts) > _NAMED)
    *first, last = [*counts[:_NAMED], *others]
    return f"{', '.join(first)} and {last}" if first else last


def quality_of(table_mean: float) -> int:
    """Return the quality, Pillow's, whose luminance table has the mean nearest to this one."""
    means = _means()
    return min(means, key=lambda quality: abs(means[quality] - table_mean))


@cache
def _means() -> dict[int, float]:
    """Return the mean of Pillow's luminance table by quality."""
    return {quality: _mean_of_table(quality) for quality in range(1, 101)}


def _mean_of_table(quality: int) -> float:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as image:
        tables = image.quantization  # type: ignore[attr-defined]  # a JPEG has them
        return float(mean(tables[0]))
