"""Whether one JPEG hides how pictures were compressed before, and one size how they were scaled.

    python benchmarks/equalising.py --faces FOLDER --weights FILE --output RESULT.json

All pictures of a folder, whatever their class, are scaled to 192 px, which wipes out how they were
kept, and given one of two histories at random: another JPEG, or a scaling down and back up. A
logistic regression then tells the histories apart, cross-validated: 0.5 is what a hidden history
gives. It reads frozen features of mobilenetv3_small, of scalings residual statistics too. Both
histories pass JPEGs of several qualities first, among them the one that `equalise=jpeg` chooses,
or canvases of several sides, alone and with a JPEG.
"""

import io
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from fakeface_bench.support.machine import start_tensorflow  # noqa: E402

MODEL = "mobilenetv3_small"
SIZE, SIDE = 160, 192
#: Quality and chroma subsampling of each of the two histories; quality 0 for none.
HISTORIES = {
    "quality 98, full chroma, against 85": ((98, "4:4:4"), (85, "4:2:0")),
    "quality 95 against 75": ((95, "4:2:0"), (75, "4:2:0")),
    "never compressed against 90": ((0, ""), (90, "4:2:0")),
    "quality 92 against 60": ((92, "4:2:0"), (60, "4:2:0")),
}
#: Qualities that are tried besides the chosen one; 0 for untouched pictures.
TRIED = (0, 90, 75, 60, 50, 30)
#: Of 192 px: what one history is scaled to, and back; no picture was ever compressed.
SCALINGS = (176, 160, 128)
#: Canvases that are tried, 0 for none, and JPEGs after them; 90 is what `equalise=jpeg` chooses
#: where no file is a JPEG.
CANVASES, QUALITIES = (0, 160, 128, 96, 64), (0, 90)


def kept(image: Image.Image, quality: int, subsampling: str) -> tuple[Image.Image, dict[str, Any]]:
    """Return a picture with a history, and what a survey would know of its file."""
    if not quality:
        return image, {"quality": float("nan")}
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(stream) as encoded:
        table = float(np.mean(encoded.quantization[0]))  # type: ignore[attr-defined]
        return encoded.convert("RGB"), {"quality": table}


def told_apart(features: Any, labels: Any) -> list[float]:
    """Return the ROC AUC of each fold."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    scores = cross_val_score(model, features, labels, cv=5, scoring="roc_auc")
    return [round(float(score), 4) for score in scores]


def measured(files: list[Path], weights: str, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each pair of histories comes to."""
    import pandas as pd

    from fakeface_bench.data.decode import Equalisation, seen_pixels
    from fakeface_bench.data.equalising import common_quality

    features = frozen_features(weights, seed)
    labels, clean = drawn(files, seed)
    for name, histories in HISTORIES.items():
        given = [kept(image, *histories[k]) for image, k in zip(clean, labels, strict=True)]
        facts = pd.DataFrame([fact for _, fact in given]).assign(label=labels)
        chosen = common_quality(facts)
        folds = {}
        for quality in sorted({*TRIED, chosen}):
            passed = Equalisation(0, quality)
            seen = [seen_pixels(image, SIZE, "crop", passed) for image, _ in given]
            folds[quality] = told_apart(features(seen), labels)
        means = {quality: round(float(np.mean(scores)), 4) for quality, scores in folds.items()}
        yield name, {"chosen": chosen, "roc_auc_by_quality": means, "folds": folds}


Pixels = list[Any]


def frozen_features(weights: str, seed: int) -> Callable[[Pixels], Any]:
    """Return what makes features of pictures, shape (n, features)."""
    from fakeface_bench.backbones.building import build_backbone
    from fakeface_bench.backbones.catalogue import architecture_named
    from fakeface_bench.backbones.weights import resolve_weights
    from fakeface_bench.features.engine import FrozenGraph
    from fakeface_bench.features.pooling import feature_model

    row = architecture_named(MODEL)
    backbone = build_backbone(row, SIZE, resolve_weights(weights, row, seed))
    extract = FrozenGraph(feature_model(backbone), 32)

    def features(seen: Pixels) -> Any:
        pixels = np.stack(seen)
        batches = [pixels[start : start + 32] for start in range(0, len(pixels), 32)]
        return np.concatenate([extract(batch)["pooled"] for batch in batches]).astype(np.float64)

    return features


def drawn(files: list[Path], seed: int) -> tuple[Any, list[Image.Image]]:
    """Return which history each picture gets, and the pictures without one."""
    from fakeface_bench.data.decode import decode_bytes

    labels = np.random.default_rng(seed).permutation(np.arange(len(files)) % 2)
    scaled = [decode_bytes(file).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for file in files]
    return labels, scaled


def scalings(files: list[Path], weights: str, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each canvas leaves of each scaling, by what reads it."""
    from fakeface_bench.data.decode import Equalisation, seen_pixels
    from fakeface_bench.features.quick_residuals import statistics_of
    from fakeface_bench.features.residual_statistics import BLOCK

    features = frozen_features(weights, seed)
    labels, clean = drawn(files, seed)
    for side in SCALINGS:
        there = (side, side), Image.Resampling.BICUBIC
        back = (SIDE, SIDE), Image.Resampling.BICUBIC
        given = [
            image.resize(*there).resize(*back) if label else image
            for image, label in zip(clean, labels, strict=True)
        ]
        found: dict[str, Any] = {"frozen features": {}, "residual statistics": {}}
        for canvas, quality in product(CANVASES, QUALITIES):
            passed = Equalisation(canvas, quality)
            words = f"canvas {canvas}, JPEG {quality}"
            seen = [seen_pixels(image, SIZE, "crop", passed) for image in given]
            found["frozen features"][words] = told_apart(features(seen), labels)
            read = min(canvas or SIZE, SIZE) // BLOCK * BLOCK
            centres = [seen_pixels(image, read, "crop", passed) for image in given]
            statistics = np.stack([statistics_of(pixels) for pixels in centres])
            found["residual statistics"][words] = told_apart(statistics, labels)
        means = {
            reader: {words: round(float(np.mean(scores)), 4) for words, scores in of.items()}
            for reader, of in found.items()
        }
        yield f"scaled to {side} and back", {"roc_auc": means, "folds": found}


@click.command()
@click.option("--faces", required=True, help="Folder with pictures of faces below it.")
@click.option("--weights", required=True, help="Keras weights file of mobilenetv3_small.")
@click.option("--images", default=600, show_default=True, help="Pictures, drawn from all.")
@click.option("--seed", default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(faces: str, weights: str, images: int, seed: int, output: Path | None) -> None:
    """Measure on this machine."""
    start_tensorflow()
    files = sorted(Path(faces).rglob("*.jpg"))
    chosen = np.random.default_rng(seed).permutation(len(files))[:images]
    figures: dict[str, Any] = {
        "machine": machine("tensorflow", "keras", "pillow", "scikit-learn"),
        "faces": Path(faces).name,
        "images": len(chosen),
        "seed": seed,
    }
    given = [files[number] for number in chosen]
    for name, found in measured(given, weights, seed):
        click.echo(f"{name}: chosen {found['chosen']}, {found['roc_auc_by_quality']}")
        figures[name] = found
    for name, found in scalings(given, weights, seed):
        click.echo(f"{name}: {found['roc_auc']}")
        figures[name] = found
    keep(figures, output)


if __name__ == "__main__":
    main()
