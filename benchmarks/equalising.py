"""Whether one JPEG hides how pictures were compressed before, and of which quality it must be.

    python benchmarks/equalising.py --faces FOLDER --weights FILE --output RESULT.json

All pictures of a folder, whatever their class, are scaled to 192 px, which wipes out how they were
kept, and given one of two histories at random. A logistic regression on frozen features of
mobilenetv3_small then tells the histories apart, cross-validated: 0.5 is what a hidden history
gives. Both histories pass JPEGs of several qualities first, among them the one that `equalise=jpeg`
chooses.
"""

import io
import sys
from collections.abc import Iterator
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

    from fakeface_bench.backbones.building import build_backbone
    from fakeface_bench.backbones.catalogue import architecture_named
    from fakeface_bench.backbones.weights import resolve_weights
    from fakeface_bench.data.compression import common_quality
    from fakeface_bench.data.decode import decode_bytes, fit_image, reencoded
    from fakeface_bench.features.engine import FrozenGraph
    from fakeface_bench.features.pooling import feature_model

    row = architecture_named(MODEL)
    backbone = build_backbone(row, SIZE, resolve_weights(weights, row, seed))
    extract = FrozenGraph(feature_model(backbone), 32)
    labels = np.random.default_rng(seed).permutation(np.arange(len(files)) % 2)
    clean = [decode_bytes(file).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for file in files]
    for name, histories in HISTORIES.items():
        given = [kept(image, *histories[k]) for image, k in zip(clean, labels, strict=True)]
        facts = pd.DataFrame([fact for _, fact in given]).assign(label=labels)
        chosen = common_quality(facts)
        folds = {}
        for quality in sorted({*TRIED, chosen}):
            seen = [fit_image(reencoded(image, quality), SIZE, "crop") for image, _ in given]
            pixels = np.stack([np.asarray(image) for image in seen])
            batches = [pixels[start : start + 32] for start in range(0, len(pixels), 32)]
            pooled = [extract(batch)["pooled"] for batch in batches]
            features = np.concatenate(pooled).astype(np.float64)
            folds[quality] = told_apart(features, labels)
        means = {quality: round(float(np.mean(scores)), 4) for quality, scores in folds.items()}
        yield name, {"chosen": chosen, "roc_auc_by_quality": means, "folds": folds}


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
    for name, found in measured([files[number] for number in chosen], weights, seed):
        click.echo(f"{name}: chosen {found['chosen']}, {found['roc_auc_by_quality']}")
        figures[name] = found
    keep(figures, output)


if __name__ == "__main__":
    main()
