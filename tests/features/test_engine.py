"""What every engine has to keep: the same named arrays as the model, whatever comes together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import numpy.typing as npt
import pytest

from fakeface_bench.backbones.building import build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.features.engine import Engine, FrozenGraph
from fakeface_bench.features.pooling import feature_model

SIZE = 64
#: Each way to an engine; a further engine is a further row. Eight images a step, or all at once.
ENGINES: dict[str, Callable[[keras.Model], Engine]] = {
    "frozen graph, steps": lambda model: FrozenGraph(model, 8),
    "frozen graph": FrozenGraph,
}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return feature_model(
        build_backbone(architecture_named("mobilenetv3_small"), SIZE, Weights("random"))
    )


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, model: keras.Model) -> Engine:
    return ENGINES[request.param](model)


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
        np.testing.assert_allclose(
            rows.astype(np.float32),
            expected[name].numpy().astype(np.float32),
            rtol=4e-3,
            atol=2e-3,
            err_msg=name,
        )
        assert np.ptp(rows.astype(np.float32), axis=0).max() > 0, "each image has its own"


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


def test_a_single_output_has_a_name_too() -> None:
    pixels = keras.Input((4, 4, 3))
    model = keras.Model(pixels, keras.layers.Flatten(name="flat")(pixels))
    images = np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3)
    for build in ENGINES.values():
        (rows,) = build(model)(images).values()
        np.testing.assert_array_equal(rows, images.reshape(2, 48).astype(np.float32))
