"""Small networks in files, as users bring them."""

import warnings
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 80


def branched(rescaling: bool = True, side: int | None = SIDE, top: bool = True) -> keras.Model:
    """A network of two places where branches join, with BatchNormalization, random values."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    pixels = keras.Input((side, side, 3), name="pictures")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="to_range")(pixels) if rescaling else pixels
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="stem", use_bias=False)(x)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(name="stem_relu")(x)
    sides = [layers.Conv2D(8, size, padding="same", name=f"side_{size}")(x) for size in (1, 3)]
    x = layers.Concatenate(name="joined")(sides)
    y = layers.Conv2D(16, 3, strides=2, padding="same", name="down", activation="relu")(x)
    z = layers.Conv2D(16, 3, padding="same", name="same", activation="relu")(y)
    x = layers.Add(name="added")([y, z])
    x = layers.Conv2D(12, 3, padding="same", name="end", activation="relu")(x)
    if top:
        x = layers.GlobalAveragePooling2D(name="mean")(x)
        x = layers.Dense(5, activation="softmax", name="classes")(x)
    return keras.Model(pixels, x, name="branched")


def within_another() -> keras.Model:
    """A sequence of rescaling, a network, and a head: how transfer learning is often saved."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            branched(rescaling=False, top=False),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def saved(model: keras.Model, path: Path) -> Path:
    model.save(path)
    return path


def exported(model: keras.Model, path: Path) -> Path:
    """Write what Keras's own export makes of a model."""
    model(np.zeros((1, *model.inputs[0].shape[1:]), np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of what Keras asks NumPy for
        model.export(path, format="onnx", verbose=False)
    return path


def channels_first(
    path: Path,
    side: int | str = SIDE,
    opset: int = 18,
    images: int | str = "images",
    normalises: bool = False,
) -> Path:
    """Write a network as PyTorch exports them: (images, 3, side, side), two strides, a classifier.

    Args:
        normalises: Whether it divides pixels by 255 itself.
    """
    draw = np.random.default_rng(0)
    values = {
        "white": np.array(255, np.float32),
        "stem.weight": draw.normal(size=(6, 3, 3, 3)).astype(np.float32) / 5,
        "deep.weight": draw.normal(size=(10, 6, 3, 3)).astype(np.float32) / 7,
        "classes.weight": draw.normal(size=(10, 4)).astype(np.float32),
    }
    entry = "pixels"
    nodes = []
    if normalises:
        nodes.append(helper.make_node("Div", ["pixels", "white"], ["scaled"]))
        entry = "scaled"
    strided = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes += [
        helper.make_node("Conv", [entry, "stem.weight"], ["stem"], **strided),
        helper.make_node("Relu", ["stem"], ["first"]),
        helper.make_node("Conv", ["first", "deep.weight"], ["deep"], **strided),
        helper.make_node("Relu", ["deep"], ["second"]),
        helper.make_node("GlobalAveragePool", ["second"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "classes.weight"], ["scores"]),
    ]
    shape = [images, 3, side, side]
    graph = helper.make_graph(
        nodes,
        "of_torch",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [images, 4])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 10
    path.write_bytes(model.SerializeToString())
    return path


def described(path: Path, *lines: str) -> Path:
    """Write the description beside a network's file."""
    path.with_suffix(".yaml").write_text("\n".join(lines), encoding="utf-8")
    return path


def values_of(path: Path) -> dict[str, np.ndarray]:
    """Return the values of an ONNX file by name."""
    held = onnx.load(str(path)).graph.initializer
    return {each.name: numpy_helper.to_array(each) for each in held}
