"""Brings cached features to zero mean and unit variance, by the train split's figures."""

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.features.samples import Part, Samples

_ROWS_AT_ONCE = 1024
#: A column whose deviation is below this share of its mean only holds float16's rounding.
_CONSTANT_BELOW = 1e-3


def standardisation(train: Samples, parts: list[Part]) -> keras.layers.Normalization:
    """Return a fixed layer that standardises some columns; constant ones are only centred.

    Rows are read in blocks, so memory does not grow with their number.
    """
    total: npt.NDArray[np.float64] | float = 0.0
    squares: npt.NDArray[np.float64] | float = 0.0
    for start in range(0, len(train), _ROWS_AT_ONCE):
        numbers = np.arange(start, min(start + _ROWS_AT_ONCE, len(train)))
        block = train.rows(numbers, parts).astype(np.float64)
        total = total + block.sum(axis=0)
        squares = squares + np.square(block).sum(axis=0)
    mean = np.asarray(total) / len(train)
    variance = np.maximum(np.asarray(squares) / len(train) - np.square(mean), 0.0)
    constant = np.sqrt(variance) <= _CONSTANT_BELOW * np.abs(mean)
    return keras.layers.Normalization(mean=mean, variance=np.where(constant, 1.0, variance))
