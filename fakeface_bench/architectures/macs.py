"""Counts the multiply-accumulates of a network from its layers' shapes."""

from math import prod

import keras


def count_macs(model: keras.Model) -> int:
    """Return the multiply-accumulates of one image through the convolutions and dense layers.

    Normalisation, activation and pooling are not counted, as is usual in the literature
    (for instance arXiv:1905.02244, table 3).
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += count_macs(layer)
        elif isinstance(layer, keras.layers.SeparableConv2D):
            positions = prod(layer.output.shape[1:3])
            channels = layer.input.shape[-1]
            total += positions * channels * (prod(layer.kernel_size) + layer.filters)
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            total += prod(layer.output.shape[1:]) * prod(layer.kernel_size)
        elif isinstance(layer, keras.layers.Conv2D):
            inputs = layer.input.shape[-1] // layer.groups
            total += prod(layer.output.shape[1:]) * prod(layer.kernel_size) * inputs
        elif isinstance(layer, keras.layers.Dense):
            total += prod(layer.output.shape[1:]) * layer.input.shape[-1]
    return total
