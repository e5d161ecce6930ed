"""What every engine has to keep: the same named arrays as the model, whatever comes together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from fakeface_bench import config
from fakeface_bench.backbones.building import build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.features import engine as engine_module
from fakeface_bench.features.engine import Engine, FrozenGraph
from fakeface_bench.features.engines import BFloat16Graph, open_engine
from fakeface_bench.features.pooling import feature_model
from fakeface_bench.support.errors import UsageError
from tests.conftest import NEEDS_BFLOAT16

SIZE = 64


def with_variables(model: keras.Model) -> Engine:
    """As of a network too large to freeze."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "LARGEST_FROZEN_BYTES", 0)
        return FrozenGraph(model, step=8)


#: Each way to an engine; a further engine is a further row. Eight images a step, or all at once.
ENGINES: dict[str, Callable[[keras.Model], Engine]] = {
    **{name: partial(open_engine, name, step=8) for name in config.ENGINES},
    "frozen graph": FrozenGraph,
    "graph with variables": with_variables,
}
ROWS = [
    pytest.param(build, marks=NEEDS_BFLOAT16 if name == config.BFLOAT16_ENGINE else (), id=name)
    for name, build in ENGINES.items()
]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return feature_model(
        build_backbone(architecture_named("mobilenetv3_small"), SIZE, Weights("random"))
    )


@pytest.fixture(scope="module", params=ROWS)
def engine(request: pytest.FixtureRequest, model: keras.Model) -> Engine:
    built: Engine = request.param(model)
    return built


@pytest.fixture(scope="module")
def images() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (19, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 7, 8, 19])
def test_outputs_are_the_models_by_name_shape_and_type(
    engine: Engine, model: keras.Model, images: npt.NDArray[np.uint8], count: int
) -> None:
    outputs = engine(images[:count])
    assert set(outputs) == set(model.output) == {"pooled", "max2x2"}
    for name, rows in outputs.items():
        assert type(rows) is np.ndarray
        assert rows.dtype == np.float16
        assert rows.shape == (count, model.output[name].shape[1])


def test_values_are_the_models(
    engine: Engine, model: keras.Model, images: npt.NDArray[np.uint8]
) -> None:
    expected = model(images.astype(np.float32), training=False)
    for name, rows in engine(images).items():
        found, wanted = rows.astype(np.float32), expected[name].numpy().astype(np.float32)
        if isinstance(engine, BFloat16Graph):
            difference = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
            assert 1e-4 < difference < 2e-2, "bfloat16 has three digits"
        else:
            np.testing.assert_allclose(found, wanted, rtol=4e-3, atol=2e-3, err_msg=name)
        assert np.ptp(found, axis=0).max() > 0, "each image has its own"


def test_it_gives_the_same_twice_and_mirrored_views_are_read_as_they_are(
    engine: Engine, images: npt.NDArray[np.uint8]
) -> None:
    first = engine(images)
    mirrored = images[:, :, ::-1]
    seen = {"again": engine(images), "mirrored twice": engine(mirrored[:, :, ::-1])}
    for again in seen.values():
        for name, rows in first.items():
            np.testing.assert_array_equal(again[name], rows)
    copied = engine(np.ascontiguousarray(mirrored))
    for name, rows in engine(mirrored).items():
        np.testing.assert_array_equal(rows, copied[name])
        assert (rows != first[name]).any()


def test_several_threads_may_ask_at_once(engine: Engine, images: npt.NDArray[np.uint8]) -> None:
    alone = engine(images)["pooled"]
    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(lambda _: engine(images)["pooled"], range(8)))
    for rows in asked:
        np.testing.assert_array_equal(rows, alone)


def test_an_image_gives_the_same_whatever_comes_with_it(
    engine: Engine, images: npt.NDArray[np.uint8]
) -> None:
    """Of a graph without steps not: its sums depend on the batch's shape."""
    if isinstance(engine, FrozenGraph) and engine._step is None:
        pytest.skip("what serves gives scores within 1e-4 of one another")
    together = engine(images)
    for name, rows in engine(images[5:6]).items():
        np.testing.assert_array_equal(rows[0], together[name][5])


@pytest.mark.parametrize("build", ROWS)
def test_a_single_output_has_a_name_too(build: Callable[[keras.Model], Engine]) -> None:
    pixels = keras.Input((4, 4, 3))
    same = keras.layers.Conv2D(3, 1, use_bias=False)
    model = keras.Model(pixels, keras.layers.Flatten(name="flat")(same(pixels)))
    same.set_weights([np.eye(3).reshape(1, 1, 3, 3)])
    images = np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3)
    (rows,) = build(model)(images).values()
    np.testing.assert_array_equal(rows, images.reshape(2, 48).astype(np.float32))


def test_an_engine_refuses_what_it_cannot_run() -> None:
    pixels = keras.Input((4, 4, 3))
    nothing_to_convolve = keras.Model(pixels, keras.layers.Flatten()(pixels))
    with pytest.raises(UsageError, match=r"computes nothing of .* in bfloat16 on this machine"):
        open_engine(config.BFLOAT16_ENGINE, nothing_to_convolve, 8)
    compiled = keras.layers.Conv2D(3, 3, groups=3, padding="same")(pixels)
    with pytest.raises(UsageError, match=r"'onnxruntime' cannot run .*, which ONNX cannot express"):
        open_engine(config.ONNX_ENGINE, keras.Model(pixels, compiled), 8)


def test_onnx_runtime_runs_the_exact_gelu_of_transformers() -> None:
    """TensorFlow writes it with 1 - erf as one operator, which ONNX lacks."""
    pixels = keras.Input((4, 4, 3))
    hidden = keras.layers.Rescaling(1 / 32, -4)(pixels)
    model = keras.Model(pixels, keras.layers.Activation("gelu", name="gelu")(hidden))
    images = np.arange(192, dtype=np.uint8).reshape(4, 4, 4, 3)
    (found,) = open_engine(config.ONNX_ENGINE, model, 8)(images).values()
    (expected,) = FrozenGraph(model, 8)(images).values()
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert expected.min() < -0.1


@NEEDS_BFLOAT16
def test_bfloat16_leaves_the_rest_of_the_process_as_it_was(
    model: keras.Model, images: npt.NDArray[np.uint8]
) -> None:
    options = tf.config.optimizer.get_experimental_options()
    before = FrozenGraph(model, 8)(images)
    open_engine(config.BFLOAT16_ENGINE, model, 8)(images)
    for name, rows in FrozenGraph(model, 8)(images).items():
        np.testing.assert_array_equal(rows, before[name])
    assert tf.config.optimizer.get_experimental_options() == options
