"""Speed of extraction by each engine, from arrays and from files, and whether scores agree.

    python benchmarks/extraction.py --faces FOLDER --weights FILE --output RESULT.json

FOLDER holds train/ and test/ with real/ and fake/ in each. Beside Keras's `predict`, which gives
the same outputs (every block pooled), stands what users write, the last block alone. From files,
Keras reads by `image_dataset_from_directory`; ours checks digests, decodes and writes the cache.
The variants take turns in one process; quoted is the median of the rounds, the first left out,
which traces. Weights are random, which change no time; FILE, of mobilenetv3_small, is for scores:
test ROC AUC of logistic regression on features of each engine, the test split's as a study reads
it (`scored`) and by the same engine.
"""

import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from benchmarks.fine_tuning import progress_on_stderr  # noqa: E402

SIZE = 224
#: Images from arrays, from files, and of each split and class for scores; 0 for all.
IMAGES = {
    "mobilenetv3_small": (512, 0, 0),
    "mobilenetv3_large": (256, 0, 0),
    "vgg16": (32, 64, 200),
}
KERAS, KERAS_LAST = "keras predict", "keras predict, last block"


def in_turn(variants: dict[str, Callable[[], Any]], images: int, rounds: int) -> dict[str, Any]:
    """Return of each variant the median of its images/s, the slowest and the fastest round."""
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, variant in variants.items():
            started = time.perf_counter()
            variant()
            if number:
                rates[name].append(images / (time.perf_counter() - started))
    return {
        name: {"median": statistics.median(of), "slowest": min(of), "fastest": max(of)}
        for name, of in rates.items()
    }


def sources(model: str, weights: str = "random") -> dict[str, Any]:
    """Return what extracts a network's features, by engine; those that cannot run are told."""
    from fakeface_bench.config import ENGINES, StudyConfig
    from fakeface_bench.resolve import make_plan
    from fakeface_bench.study.inputs import feature_source
    from fakeface_bench.support.errors import UsageError

    found: dict[str, Any] = {}
    for engine in ENGINES:
        try:
            plan = make_plan(StudyConfig(model=model, weights=weights, engine=engine))
            source = feature_source(plan)
            _ = source.engine
        except UsageError as error:
            click.echo(f"{model}: {error}")
            continue
        found[engine] = source
    return found


def files_of(folder: Path, split: str, limit: int) -> tuple[list[Path], list[str]]:
    """Return a split's files, at most so many a class, and their digests."""
    files = [
        file
        for label in ("fake", "real")
        for file in sorted((folder / split / label).iterdir())[: limit or None]
    ]
    return files, [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def extracted(source: Any, files: Sequence[Path], digests: Sequence[str]) -> Any:
    """Extract into a new folder, with all that a study does for it; return the arrays `pooled`."""
    import numpy as np

    from fakeface_bench.features.store import extract_to

    with tempfile.TemporaryDirectory() as folder:
        extract_to(Path(folder), source, digests, files, progress_on_stderr())
        return np.load(Path(folder) / "pooled.npy")


def rates(model: str, faces: Path, rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield images/s from arrays, then from files."""
    import keras
    import numpy as np

    from fakeface_bench.features.pooling import feature_model

    engines = sources(model)
    source = engines["tensorflow"]
    whole, batch = source.model, source.batch_size
    backbone = source.backbone.model
    last = feature_model(keras.Model(backbone.inputs[0], [backbone.outputs[-1]]))
    count, of_files, _ = IMAGES[model]
    pixels = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)

    def over(source: Any) -> Callable[[], Any]:
        step = source.batch_size
        return lambda: [source.engine(pixels[i : i + step]) for i in range(0, count, step)]

    yield (
        "arrays",
        in_turn(
            {
                KERAS: lambda: whole.predict(pixels, batch_size=batch, verbose=0),
                KERAS_LAST: lambda: last.predict(pixels, batch_size=batch, verbose=0),
                **{name: over(source) for name, source in engines.items()},
            },
            count,
            rounds,
        ),
    )
    files, digests = files_of(faces, "train", of_files // 2)
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file.parent.name).mkdir(exist_ok=True)
            (Path(folder) / file.parent.name / file.name).symlink_to(file.resolve())

        def by_keras(model: keras.Model) -> Any:
            read = keras.utils.image_dataset_from_directory(
                folder,
                None,
                image_size=(SIZE, SIZE),
                batch_size=batch,
                shuffle=False,
                verbose=False,
            )
            return model.predict(read.prefetch(4), verbose=0)

        variants: dict[str, Callable[[], Any]] = {
            KERAS: lambda: by_keras(whole),
            KERAS_LAST: lambda: by_keras(last),
        }
        for name, source in engines.items():
            variants[name] = lambda source=source: extracted(source, files, digests)
        yield "files", in_turn(variants, len(files), rounds)


def scores(model: str, weights: str, faces: Path) -> dict[str, Any]:
    """Return the test ROC AUC of a logistic regression by engine, and the images of each split."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    *_, limit = IMAGES[model]
    read = {split: files_of(faces, split, limit) for split in ("train", "test")}
    labels = {
        split: np.array([file.parent.name == "fake" for file in files])
        for split, (files, _) in read.items()
    }
    found: dict[str, Any] = {f"{split} images": len(labels[split]) for split in labels}
    for name, source in sources(model, weights).items():
        head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        head.fit(extracted(source, *read["train"]).astype(np.float64), labels["train"])
        for how, tested in (("", source), (", scored", source.for_scoring())):
            if how and tested is source:
                continue
            rows = extracted(tested, *read["test"]).astype(np.float64)
            found[name + how] = roc_auc_score(labels["test"], head.decision_function(rows))
    return found


@click.command()
@click.option("--faces", type=click.Path(path_type=Path), required=True)
@click.option("--weights", default="random", show_default=True)
@click.option("--model", "models", multiple=True, default=tuple(IMAGES), help="Only these.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(
    faces: Path, weights: str, models: tuple[str, ...], rounds: int, output: Path | None
) -> None:
    """Measure extraction on this machine."""
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    libraries = ("tensorflow", "keras", "onnxruntime", "tf2onnx", "numpy", "pillow")
    figures: dict[str, Any] = {"machine": machine(*libraries), "rounds": rounds}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["FAKEFACE_CACHE"] = cache
        for model in models:
            count, of_files, _ = IMAGES[model]
            figures[model] = {
                "images_of_arrays": count,
                "images_of_files": of_files or "all of train",
            }
            for where, of in rates(model, faces, rounds):
                figures[model][where] = of
                for name, rate in of.items():
                    click.echo(
                        f"{model}, {where}, {name}: {rate['median']:.1f} images/s "
                        f"({rate['slowest']:.1f} to {rate['fastest']:.1f}), "
                        f"{rate['median'] / of[KERAS]['median']:.2f} times Keras's predict"
                    )
            own = weights if model == "mobilenetv3_small" else "random"
            figures[model]["test_roc_auc"] = scores(model, own, faces)
            click.echo(f"{model}, test ROC AUC: {figures[model]['test_roc_auc']}")
    keep(figures, output)


if __name__ == "__main__":
    main()
