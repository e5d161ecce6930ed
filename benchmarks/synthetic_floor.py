"""How hard the embedded set is: what tells its classes apart that should not, and what should.

Prints ROC AUC of the shortcuts (file metadata, coarse grey pixels), which must stay near 0.5, and
of networks that were never trained, or trained from scratch, which must find the traces.

    python benchmarks/synthetic_floor.py                  # about two minutes on two cores
    python benchmarks/synthetic_floor.py --cnn            # and a small network, trained
"""

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import PIL
import sklearn
import tensorflow as tf
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fakeface_bench.data.synthetic.dataset import LABELS, ROOT, SPLITS, write_synthetic

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


class Files:
    """The files of a set with their labels (fake = 1) and splits, in one fixed order."""

    def __init__(self, folder: Path) -> None:
        rows = [
            (path, label == "fake", split)
            for split in SPLITS
            for label in LABELS
            for path in sorted((folder / ROOT / split / label).glob("*.jpg"))
        ]
        self.paths = [row[0] for row in rows]
        self.fake = np.array([row[1] for row in rows], int)
        self.split = np.array([row[2] for row in rows])


def linear(penalty: float = 1.0) -> Pipeline:
    """Logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=3000))


def held_out_auc(files: Files, features: Any, penalties: tuple[float, ...] = (1.0,)) -> float:
    """ROC AUC on test of the fit on train whose penalty was best on valid."""
    part = {name: files.split == name for name in SPLITS}
    fits = [linear(c).fit(features[part["train"]], files.fake[part["train"]]) for c in penalties]

    def auc(fit: Pipeline, name: str) -> float:
        scores = fit.decision_function(features[part[name]])
        return float(roc_auc_score(files.fake[part[name]], scores))

    return auc(max(fits, key=lambda fit: auc(fit, "valid")), "test")


def cross_auc(files: Files, features: Any, penalty: float = 1.0) -> float:
    """ROC AUC over all images, each scored by a fit on the other folds of five."""
    order = np.random.default_rng(0).permutation(len(files.fake))
    scores = cross_val_predict(
        linear(penalty), features[order], files.fake[order], cv=5, method="decision_function"
    )
    return float(roc_auc_score(files.fake[order], scores))


def metadata(files: Files) -> Any:
    """File size in bytes, width and height; shape (n, 3)."""
    return np.array([(p.stat().st_size, *Image.open(p).size) for p in files.paths], float)


def grey(files: Files) -> Any:
    """Each image in 16x16 grey pixels; shape (n, 256)."""
    small = [Image.open(p).convert("L").resize((16, 16), Image.Resampling.BOX) for p in files.paths]
    return np.array([np.asarray(image).ravel() for image in small], float)


def crops(files: Files, size_px: int) -> Any:
    """Centre crops at native resolution; shape (n, size, size, 3), 0-255."""
    edge = (256 - size_px) // 2
    box = (edge, edge, edge + size_px, edge + size_px)
    return np.stack([np.asarray(Image.open(path).crop(box)) for path in files.paths])


def untrained(name: str, pixels: Any) -> list[tuple[str, Any]]:
    """Mean and standard deviation of every block's maps, in a network of random weights."""
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(224, 224, 3)
    )
    outputs = {"stem": network.layers[3].output}
    for layer in network.layers:
        stem = layer.name.rsplit("_", 1)[0]
        if layer.name.startswith("expanded_conv") and layer.name.endswith(("_add", "project_bn")):
            outputs[stem.removesuffix("_project")] = layer.output
    outputs["final"] = network.output
    pooled = [
        keras.ops.concatenate([keras.ops.mean(x, (1, 2)), keras.ops.std(x, (1, 2))], axis=1)
        for x in outputs.values()
    ]
    reader = keras.Model(network.input, pooled)
    values = reader.predict(pixels, batch_size=32, verbose=0)
    return list(zip(outputs, values, strict=True))


def report_untrained(files: Files, name: str, pixels: Any) -> None:
    """Print the AUC of an untrained network and the range of its activations."""
    start = time.perf_counter()
    blocks = untrained(name, pixels)
    seconds = time.perf_counter() - start
    every = np.concatenate([values for _, values in blocks], axis=1)
    last = blocks[-1][1][:, : blocks[-1][1].shape[1] // 2]
    print(f"untrained {name} ({every.shape[1]} features, read in {seconds:.0f} s)")
    print(f"  all blocks, mean and std:  test {held_out_auc(files, every, PENALTIES):.3f}")
    print(f"  all blocks, 5-fold:        {cross_auc(files, every, 0.03):.3f}")
    print(f"  last block, mean:          test {held_out_auc(files, last, PENALTIES):.3f}")
    for block, values in blocks:
        mean, std = np.split(values, 2, axis=1)
        print(
            f"    {block:18} mean {mean.min():10.3g} to {mean.max():10.3g}, "
            f"std {std.min():10.3g} to {std.max():10.3g}"
        )


def report_cnn(files: Files, epochs: int = 10) -> None:
    """Print the test AUC, and the fit's seconds, of a small network trained from scratch."""
    keras.utils.set_random_seed(0)
    pixels = crops(files, 192)
    layers = [keras.layers.Input((192, 192, 3)), keras.layers.Rescaling(1 / 127.5, -1)]
    for filters in (16, 32, 64, 64):
        layers += [
            keras.layers.Conv2D(filters, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    network = keras.Sequential(layers)
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    part = {name: files.split == name for name in SPLITS}
    best, chosen, start = -1.0, 0.0, time.perf_counter()
    for epoch in range(1, epochs + 1):
        network.fit(pixels[part["train"]], files.fake[part["train"]], batch_size=32, verbose=0)
        valid, test = (
            roc_auc_score(
                files.fake[part[name]], network.predict(pixels[part[name]], verbose=0).ravel()
            )
            for name in ("valid", "test")
        )
        print(f"  epoch {epoch}: valid {valid:.3f}, test {test:.3f}", flush=True)
        if valid > best:
            best, chosen = valid, test
    print(f"small CNN, best epoch on valid: test {chosen:.3f}, {time.perf_counter() - start:.0f} s")


def main() -> None:
    """Write the set, or read one, and print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="a set written before; else a temporary one")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--networks", default="MobileNetV3Large,MobileNetV3Small")
    parser.add_argument("--cnn", action="store_true", help="also train a small CNN (minutes)")
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python "
          f"{platform.python_version()}, Pillow {PIL.__version__}, numpy {np.__version__}, "
          f"scikit-learn {sklearn.__version__}, TensorFlow {tf.__version__}, "
          f"Keras {keras.__version__}, seed {given.seed}, n {given.images}")  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if given.folder is None:
            start = time.perf_counter()
            write_synthetic(folder, given.images, given.seed)
            print(f"written in {time.perf_counter() - start:.1f} s")
        report(Files(folder), [name for name in given.networks.split(",") if name], given.cnn)


def report(files: Files, networks: list[str], cnn: bool) -> None:
    """Print the metrics of one set."""
    for title, features in (("metadata", metadata(files)), ("16x16 grey", grey(files))):
        crossed, tested = cross_auc(files, features), held_out_auc(files, features)
        print(f"{title}: 5-fold {crossed:.3f}, test {tested:.3f}", flush=True)
    pixels = crops(files, 224) if networks else None
    for name in networks:
        report_untrained(files, name, pixels)
    if cnn:
        report_cnn(files)


if __name__ == "__main__":
    main()
