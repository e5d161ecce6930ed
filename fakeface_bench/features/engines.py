"""The engines that extraction chooses from: what each is, and what its features depend on."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.backbones.onnx_network import one_thread_session
from fakeface_bench.config import BFLOAT16_ENGINE, ONNX_ENGINE, TENSORFLOW_ENGINE
from fakeface_bench.features.engine import Engine, FrozenGraph, frozen_function, output_names
from fakeface_bench.features.quick_residuals import statistics_of
from fakeface_bench.features.residuals import RESIDUALS
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.machine import gpus, own_cores


class BFloat16Graph(FrozenGraph):
    """The frozen graph with convolutions and matrix products in bfloat16, by oneDNN; an `Engine`.

    In a session of its own, since what rewrites the graph is otherwise an option of the whole
    process.

    Raises:
        UsageError: If nothing of the graph came to be computed in bfloat16 here.
    """

    def _compiled(self, model: keras.Model) -> Callable[[npt.NDArray[np.uint8]], Any]:
        forward = frozen_function(model, self._step, tf.uint8)
        graph = tf.Graph()
        with graph.as_default():
            tf.graph_util.import_graph_def(forward.graph.as_graph_def(), name="")
        v1 = tf.compat.v1
        config = v1.ConfigProto()
        # 1 is ON; `RewriterConfig` has no public name.
        config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = 1
        session = v1.Session(graph=graph, config=config)
        (pixels,), outputs = forward.inputs, [output.name for output in forward.outputs]
        options, told = v1.RunOptions(output_partition_graphs=True), v1.RunMetadata()
        probe = np.zeros((self._step or 1, *pixels.shape[1:]), np.uint8)
        session.run(outputs, {pixels.name: probe}, options, told)
        types = {node.attr["T"].type for part in told.partition_graphs for node in part.node}
        if tf.bfloat16.as_datatype_enum not in types:
            raise UsageError(
                f"engine {BFLOAT16_ENGINE!r} computes nothing of {model.name} in bfloat16 on this "
                f"machine; take {TENSORFLOW_ENGINE!r}, or leave engine out."
            )
        call: Callable[[Any], Any] = session.make_callable(outputs, [pixels.name])
        return call


class OnnxSession:
    """A model run by ONNX Runtime, an image a thread; an `Engine`.

    That is faster than several images at once or several threads an image, whose maps leave the
    processor's caches (benchmarks/extraction.py); and what an image gives depends on no other, on
    no number of threads and on no batch.

    Raises:
        UsageError: If the model cannot be exported.
    """

    def __init__(self, model: keras.Model) -> None:
        self._names = output_names(model)
        # Here, for what reads a cache has no need of tf2onnx.
        from fakeface_bench.features.onnx_export import onnx_of

        try:
            self._session = one_thread_session(onnx_of(model))
        # Both libraries raise whatever the part that they stumble on does.
        except Exception as error:
            raise UsageError(
                f"engine {ONNX_ENGINE!r} cannot run {model.name}, which ONNX cannot express "
                f"({str(error).splitlines()[0][:200]}); take {TENSORFLOW_ENGINE!r}, or leave "
                "engine out."
            ) from error
        self._pixels = self._session.get_inputs()[0].name
        self._pool = ThreadPoolExecutor(own_cores())

    def __call__(self, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of some images by name."""
        rows = list(self._pool.map(self._outputs, images))
        return {
            name: np.concatenate(outputs)
            for name, outputs in zip(self._names, zip(*rows, strict=True), strict=True)
        }

    def _outputs(self, image: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]:
        pixels = np.ascontiguousarray(image[None])
        outputs: list[npt.NDArray[Any]] = self._session.run(None, {self._pixels: pixels})
        return outputs


#: By name, what makes each of a model and the images of a step; a further engine is a row.
_ENGINES: Mapping[str, Callable[[keras.Model, int], Engine]] = {
    TENSORFLOW_ENGINE: FrozenGraph,
    BFLOAT16_ENGINE: BFloat16Graph,
    ONNX_ENGINE: lambda model, step: OnnxSession(model),
}


def open_engine(name: str, model: keras.Model, step: int) -> Engine:
    """Make an engine of a model.

    Args:
        name: One of `config.ENGINES`.
        step: Images that it takes at once, if it takes several.

    Raises:
        UsageError: If it cannot run this model, or not on this machine.
    """
    if name == TENSORFLOW_ENGINE and gpus():
        return _ENGINES[name](model, step)  # there counting is cheap
    network, statistics = _apart(model)
    if network is None:
        return PictureStatistics(own_cores())
    engine = _ENGINES[name](network, step)
    return _WithStatistics(engine) if statistics else engine


def _apart(model: keras.Model) -> tuple[keras.Model | None, bool]:
    """Return a model without its residual statistics, if anything is left, and if it has them."""
    if not isinstance(model.output, dict) or RESIDUALS not in model.output:
        return model, False
    outputs = {name: output for name, output in model.output.items() if name != RESIDUALS}
    return keras.Model(model.inputs[0], outputs, name=model.name) if outputs else None, True


class PictureStatistics:
    """Residual statistics without TensorFlow; an `Engine`.

    Args:
        threads: Each has a picture at a time.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads)

    def __call__(self, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Return the statistics of some images."""
        return self.asked(images)()

    def asked(
        self, images: npt.NDArray[np.uint8]
    ) -> Callable[[], dict[str, npt.NDArray[np.float16]]]:
        """Begin, and return what waits for the statistics."""
        rows = self._pool.map(statistics_of, images)
        return lambda: {RESIDUALS: np.stack(list(rows)).astype(np.float16)}


class _WithStatistics:
    """A network by one engine, and beside it the residual statistics of the same; an `Engine`.

    One thread makes them, which is faster than several that wait for Python's lock.
    """

    def __init__(self, network: Engine) -> None:
        self._network, self._statistics = network, PictureStatistics(1)

    def __call__(self, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of both by name."""
        statistics = self._statistics.asked(images)
        return self._network(images) | statistics()


def scoring_engine(name: str) -> str:
    """Return what scored pictures pass in a study that trains on an engine's features.

    Never a lower precision: a model is served in float32, and its scores are to be those it was
    tested with.
    """
    return TENSORFLOW_ENGINE if name == BFLOAT16_ENGINE else name


def engine_label(name: str) -> str:
    """Return library, version and numbers of an engine, in words."""
    library = ONNX_ENGINE if name == ONNX_ENGINE else TENSORFLOW_ENGINE
    numbers = "bfloat16, test in float32" if name == BFLOAT16_ENGINE else "float32"
    return f"{library} {version(library)}, {numbers}"


def engine_identity(name: str) -> dict[str, str]:
    """Return what features depend on by their engine; nothing for TensorFlow's float32."""
    if name == TENSORFLOW_ENGINE:
        return {}
    if name == BFLOAT16_ENGINE:
        return {"engine": name}
    return {"engine": name, **{library: version(library) for library in ("onnxruntime", "tf2onnx")}}
