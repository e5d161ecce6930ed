"""Which one JPEG all pictures of a dataset are brought to, so that none shows how it was kept.

Encoding a picture again with the tables that it was encoded with changes little, so what is to
look alike is brought to the strongest compression that is common among the files. Other
tables would leave the traces of two encodings in those files, and a network sees them (measured by
benchmarks/equalising.py).
"""

import io
from functools import cache
from statistics import mean

import pandas as pd
from PIL import Image

#: A smaller share of a class does not give it away.
LEAST_SHARE = 0.05
#: Where no file is a JPEG, or none of a known quality.
DEFAULT_QUALITY = 90
#: Below this, little of a face's detail is left, and of a generator's traces nothing.
LEAST_QUALITY = 30


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
    """Return which files are JPEGs of a lower quality than this: their traces outlast it."""
    return files["quality"] > _means()[quality] + 0.5


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
