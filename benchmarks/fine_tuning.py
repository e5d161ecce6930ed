"""Speed and memory of training layers under the head: the metrics README quotes.

    python benchmarks/fine_tuning.py --faces FOLDER --output RESULT.json

An epoch of the last block on the cached map at the freeze boundary, against the same epoch through
the whole network on cached pixels; an epoch of all layers; and what the input pipeline alone
delivers from JPEG files, decoding, cropping and mirroring them. Each runs in a process of its own,
whose peak memory is told. Weights are random: they change no time. The epoch quoted is the faster
of those after the first, which compiles.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402

EPOCHS = 3
BATCH = 32
#: Of each split and class; VGG16 would take hours on all of them.
LIMITS = {"mobilenetv3_small": 0, "vgg16": 100}
#: At most this share of the epoch without a cut, and these images a second and gigabytes.
MOST_SHARE, LEAST_RATE, MOST_GB = 1 / 3, 1200, 4.0
PARTS = (
    *(f"epoch {model} {how}" for model in LIMITS for how in ("cut", "uncut")),
    "epoch mobilenetv3_small all",
    *(f"pipeline {augment}" for augment in ("none", "light", "strong")),
)


def measure_epoch(faces: str, model: str, how: str) -> dict[str, float]:
    """Fit for a few epochs and return the time of one."""
    from fakeface_bench.config import StudyConfig, TrialConfig, TuningConfig
    from fakeface_bench.evaluation.metrics import roc_auc
    from fakeface_bench.features.samples import SplitReader
    from fakeface_bench.resolve import make_plan
    from fakeface_bench.study.inputs import feature_source, map_inputs, pixel_inputs, read_features
    from fakeface_bench.training.fit import fit
    from fakeface_bench.training.networks import FitTask, TunedNetwork

    spec = "all" if how == "all" else "last_block"
    config = StudyConfig(
        model=model,
        data=faces,
        fine_tune=spec,
        augment="light",
        weights="random",
        limit=LIMITS[model],
        cache_gb=20,
    )
    plan = make_plan(config)
    index = faces_index(config)
    progress = progress_on_stderr()
    source = feature_source(plan)
    cut = source.backbone.cut(plan.unfrozen)
    if how == "cut":
        inputs = map_inputs(plan, index, TunedNetwork(cut, False), source, progress)
    else:
        whole = TunedNetwork(cut.at_input(), how == "all")
        features = read_features(source, index, progress)
        inputs = pixel_inputs(plan, index, whole, features, progress)
    assert inputs is not None
    reader = SplitReader(index, inputs.load)
    train, valid = reader.read("train"), reader.read("valid")
    task = FitTask(inputs.network, train, valid, EPOCHS, 0, roc_auc)
    trial = TrialConfig(augment="light", tuning=TuningConfig(batch_size=BATCH))
    _, record = fit(task, trial)
    first, *steady = record.last_stage
    return {
        "train_images": len(train),
        "first_epoch_seconds": first.seconds,
        "epoch_seconds": min(epoch.seconds for epoch in steady),
        "validation_seconds": min(epoch.val_seconds for epoch in steady),
        "kept": inputs.description,
    }


def measure_pipeline(faces: str, augment: str) -> dict[str, float]:
    """Return the images a second that training would be fed with, from files, with nobody to feed.

    The second of two epochs counts; the files are in the system's cache by then.
    """
    from fakeface_bench.config import StudyConfig
    from fakeface_bench.data.pictures import Pictures, on_demand, side_with_room
    from fakeface_bench.features.epochs import EpochPlan, Epochs
    from fakeface_bench.features.samples import EVERYTHING, Samples

    index = faces_index(StudyConfig(data=faces))
    rows = index.split("train")
    side = side_with_room(224) if augment != "none" else 224
    samples = Samples(
        on_demand(Pictures(index.files(rows), 224, "crop", side)), rows["label"].to_numpy("uint8")
    )
    epochs = Epochs(samples, EpochPlan([("images", EVERYTHING)], BATCH, 0, augment, 224))
    rates = []
    for number in range(4):
        started = time.perf_counter()
        with epochs.epoch(number) as batches:
            images = sum(len(batch[0]) for batch in batches)
        rates.append(images / (time.perf_counter() - started))
    return {"images_per_second": sorted(rates[1:])[1], "images": len(rows)}


def faces_index(config: Any) -> Any:
    """Return the index of a folder of faces."""
    from fakeface_bench.data.index import build_index
    from fakeface_bench.data.selection import select_files
    from fakeface_bench.data.sources import prepare_sources
    from fakeface_bench.data.survey import survey_sources

    progress = progress_on_stderr()
    survey = survey_sources(prepare_sources(config.data, progress), progress)
    return build_index(survey, select_files(survey, config.seed), config.limit, progress)


def progress_on_stderr() -> Any:
    from fakeface_bench.api.progress import ConsoleProgress

    return ConsoleProgress()


def run_part(part: str, faces: str, cache: str) -> dict[str, Any]:
    """Measure one part in a process of its own; its peak memory comes with it."""
    command = [sys.executable, __file__, "--faces", faces, "--part", part]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "FAKEFACE_CACHE": cache}, text=True
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{part} failed with status {status}")
    figures = json.loads(printed.splitlines()[-1])
    return {**figures, "peak_memory_gb": usage.ru_maxrss / 2**20}


def judge(figures: dict[str, Any]) -> list[str]:
    """Say how the metrics stand to what was promised."""
    lines = []
    for model in LIMITS:
        cut, uncut = (figures[f"epoch {model} {how}"] for how in ("cut", "uncut"))
        share = cut["epoch_seconds"] / uncut["epoch_seconds"]
        lines.append(
            f"{model}, last block, epoch with / without the cut: {share:.3f} "
            f"(at most {MOST_SHARE:.3f})"
        )
    rate = figures["pipeline light"]["images_per_second"]
    lines.append(f"input pipeline from JPEG: {rate:.0f} images/s (at least {LEAST_RATE})")
    peak = max(part["peak_memory_gb"] for part in figures.values())
    lines.append(f"peak memory of any part: {peak:.2f} GB (under {MOST_GB:g})")
    return lines


@click.command()
@click.option("--faces", required=True, help="Folder of real and generated faces, JPEG.")
@click.option("--part", type=click.Choice(PARTS), help="One measurement, in this process.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(faces: str, part: str | None, output: Path | None) -> None:
    """Measure the training of layers on this machine."""
    if part:
        from fakeface_bench.support.machine import start_tensorflow

        start_tensorflow()
        kind, *what = part.split()
        figures = measure_epoch(faces, *what) if kind == "epoch" else measure_pipeline(faces, *what)
        click.echo(json.dumps(figures))
        return
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in PARTS:
            measured[name] = run_part(name, faces, cache)
            click.echo(f"{name}: {json.dumps(measured[name])}")
    lines = judge(measured)
    click.echo("\n".join(lines))
    figures = {
        "machine": machine("tensorflow", "keras", "pillow", "numpy"),
        "faces": Path(faces).name,
        "batch_size": BATCH,
        "seed": 0,
        **measured,
        "told": lines,
    }
    keep(figures, output)


if __name__ == "__main__":
    main()
