"""Speed of residual statistics, alone and beside a network: by numpy, and as a layer of Keras.

    python benchmarks/residual_statistics.py --faces FOLDER --output RESULT.json

Pictures come from arrays. The variants take turns in one process; quoted is the median of the
rounds, the first left out, which traces. Weights are random, which change no time.
"""

import sys
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.extraction import SIZE, files_of, in_turn  # noqa: E402
from benchmarks.figures import keep, machine  # noqa: E402

STEP = 32


@click.command()
@click.option("--faces", type=click.Path(path_type=Path), required=True)
@click.option("--model", default="mobilenetv3_small", show_default=True)
@click.option("--images", default=256, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(faces: Path, model: str, images: int, rounds: int, output: Path | None) -> None:
    """Measure residual statistics on this machine."""
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    import numpy as np

    from fakeface_bench.backbones.building import open_backbone
    from fakeface_bench.backbones.catalogue import architecture_named
    from fakeface_bench.backbones.weights import Weights
    from fakeface_bench.data.decode import decode_bytes, seen_pixels
    from fakeface_bench.features.engine import FrozenGraph
    from fakeface_bench.features.engines import PictureStatistics, open_engine
    from fakeface_bench.features.pooling import feature_model

    files, _ = files_of(faces, "train", images // 2)
    pixels = np.stack([seen_pixels(decode_bytes(file), SIZE, "crop", 0) for file in files])

    network = open_backbone(architecture_named(model), SIZE, Weights("random")).model
    alone = feature_model(network, residuals=True, maps=False)
    joined = feature_model(network, residuals=True)
    engines = {
        "alone, Keras": FrozenGraph(alone, STEP),
        "alone, numpy, one thread": PictureStatistics(1),
        "alone, as in a study": open_engine("tensorflow", alone, STEP),
        f"{model} without": FrozenGraph(feature_model(network), STEP),
        f"{model} joined, Keras": FrozenGraph(joined, STEP),
        f"{model} joined, as in a study": open_engine("tensorflow", joined, STEP),
    }

    def passing(engine: Any) -> Any:
        return lambda: [engine(pixels[at : at + STEP]) for at in range(0, len(pixels), STEP)]

    variants = {name: passing(engine) for name, engine in engines.items()}
    found = in_turn(variants, len(pixels), rounds)
    for name, rate in found.items():
        click.echo(
            f"{name}: {rate['median']:.0f} images/s "
            f"({rate['slowest']:.0f} to {rate['fastest']:.0f})"
        )
    libraries = ("tensorflow", "keras", "numpy", "pillow", "scipy")
    facts = {"machine": machine(*libraries), "rounds": rounds, "images": len(pixels)}
    keep({**facts, "images_per_second": found}, output)


if __name__ == "__main__":
    main()
