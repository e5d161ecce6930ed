"""Which parts of a picture speak for fake and which for real, by what a detector's head reads.

HiResCAM (Draelos & Carin 2020, arXiv:2011.08891): the gradient of the logit by a map, times the
map, summed over channels. Every map that the head reads is an input of its own, so nothing counts
twice. Averages, maxima and deviations are of degree one in their map, so for a head without hidden
layer the sum is exactly what the map adds to the logit.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.explanation.cut import CutDetector, cut_detector
from fakeface_bench.explanation.graph import PIXELS

FloatMaps = npt.NDArray[np.float32]

#: Pictures at once; the maps of VGG and what is made of them take some 20 MB each.
BATCH = 8


def attribute(model: keras.Model, pixels: npt.NDArray[Any], batch_size: int = BATCH) -> FloatMaps:
    """Return the signed evidence at every pixel: positive speaks for fake, negative for real.

    Args:
        model: A complete detector, from pixels to the probability of fake (n, 1).
        pixels: 0 to 255, shape (n, size, size, 3).
        batch_size: Pictures at once.

    Returns:
        Shape (n, size, size), in logits; the mean over a picture is its logit. What belongs to no
        place (a bias, a hidden layer's bend) is spread evenly.

    Raises:
        ValueError: If the model does not end in the sigmoid of one logit.
    """
    cut = cut_detector(model)
    evidence = np.empty((len(pixels), cut.size, cut.size), np.float32)
    for start in range(0, len(pixels), batch_size):
        batch = pixels[start : start + batch_size]
        evidence[start : start + len(batch)] = evidence_of(cut, read_maps(cut, batch))
    return evidence


def read_maps(cut: CutDetector, pixels: npt.NDArray[Any]) -> list[tf.Tensor]:
    """Run what lies below the cut."""
    return cut.graph.run({PIXELS: tf.cast(pixels, tf.float32)}, cut.maps)


def evidence_of(cut: CutDetector, maps: Sequence[tf.Tensor]) -> FloatMaps:
    """Return the evidence that maps of some pictures give; see `attribute`."""
    logit, parts = map_evidence(cut, maps)
    shape = (cut.size, cut.size)
    evidence = tf.zeros((len(logit), *shape))
    for part in parts:
        positions = part.shape[1] * part.shape[2]
        evidence += tf.image.resize(positions * part[..., None], shape)[..., 0]
    rest = logit[..., None] - tf.reduce_mean(evidence, axis=(1, 2), keepdims=True)
    return np.asarray(evidence + rest, dtype=np.float32)


def map_evidence(cut: CutDetector, maps: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Return the logits (n, 1), and what each place of each map adds, (n, height, width) each.

    For a head without hidden layer, logit and sum differ by the same number for all pictures.
    """
    if cut.standardised is None:
        return _from_nothing(cut, maps)
    return _from_typical(cut, maps, *cut.standardised)


def _from_nothing(cut: CutDetector, maps: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Measure against maps of zeros."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(maps)
        (logit,) = cut.graph.run(dict(zip(cut.maps, maps, strict=True)), [cut.logit])
    gradients = tape.gradient(logit, maps, unconnected_gradients="zero")
    return logit, [tf.reduce_sum(g * m, axis=-1) for g, m in zip(gradients, maps, strict=True)]


def _from_typical(
    cut: CutDetector, maps: Sequence[tf.Tensor], number: int, typical: tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Measure against the level that each feature has in a typical training picture.

    Against zeros a feature that is high in every picture would mark the place of its maximum in
    every picture, many times stronger than what tells pictures apart. An average's marks are the
    same either way but for a constant; a deviation has no level and is taken whole.
    """
    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as pooling:
        pooling.watch(maps)
        (features,) = cut.graph.run(dict(zip(cut.maps, maps, strict=True)), [number])
    with tf.GradientTape(watch_accessed_variables=False) as head:
        head.watch(features)
        (logit,) = cut.graph.run({number: features}, [cut.logit])
    slope = head.gradient(logit, features)
    level = tf.math.divide_no_nan(typical, _gains(cut, [m[:1] for m in maps], number))
    whole, usual = (
        pooling.gradient(features, maps, output_gradients=by, unconnected_gradients="zero")
        for by in (slope, slope * level)
    )
    parts = zip(whole, maps, usual, strict=True)
    return logit, [tf.reduce_sum(w * m - u, axis=-1) for w, m, u in parts]


def _gains(cut: CutDetector, maps: Sequence[tf.Tensor], number: int) -> tf.Tensor:
    """Return by how much each feature (1, width) rises where its whole map rises by one.

    It is the power of two that scales its block, and zero for a deviation.
    """
    levels = [m for m, is_level in zip(maps, cut.are_levels, strict=True) if is_level]
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(levels)
            (features,) = cut.graph.run(dict(zip(cut.maps, maps, strict=True)), [number])
        weights = tf.ones_like(features)
        outer.watch(weights)
        # Linear in the weights; its gradient by them is the wanted sum over each map.
        back = inner.gradient(
            features, levels, output_gradients=weights, unconnected_gradients="zero"
        )
        total = tf.add_n([tf.reduce_sum(part) for part in back])
    return outer.gradient(total, weights, unconnected_gradients="zero")
