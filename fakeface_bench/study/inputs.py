"""What a network reads of each picture: features, the map where it is cut, or pixels.

What trained layers read again each epoch is kept on disk where it fits, and made again where not.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd

from fakeface_bench.backbones.building import OwnBackbone, open_backbone
from fakeface_bench.config import (
    AUGMENTATIONS,
    AUTO,
    ONNX_ENGINE,
    TENSORFLOW_ENGINE,
    augments_in_play,
)
from fakeface_bench.data.array_store import CachedArrays, missing_bytes
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.pictures import (
    PARALLEL_CALLS,
    Pictures,
    cached_pixels,
    on_demand,
    pixels_folder,
    side_with_room,
)
from fakeface_bench.features.samples import LoadArrays, SplitArrays
from fakeface_bench.features.source import (
    BackboneSource,
    FeatureSource,
    Speed,
    decoding_speed,
    extraction_speed,
)
from fakeface_bench.features.store import cached_features
from fakeface_bench.resolve import Plan
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.executor import THIS_PROCESS, Executor
from fakeface_bench.support.machine import gpus
from fakeface_bench.support.progress import Progress
from fakeface_bench.training.networks import (
    FrozenNetwork,
    Network,
    ScratchNetwork,
    TrainedNetwork,
    TunedNetwork,
)

#: Images a step through a frozen backbone on a GPU.
GPU_BATCH = 128
#: Images handed to ONNX Runtime at once, of which each core takes one after another.
ONNX_BATCH_A_CORE, ONNX_BATCH = 16, (32, 256)
#: A cache takes at most this share of the free disk, and this much, where no size is asked for.
FREE_SHARE = 0.25
MOST_GB = 20.0
GB = 10**9
_FLOAT16_BYTES = 2


@dataclass(frozen=True, slots=True)
class Inputs:
    """A network, and how its splits are read.

    Attributes:
        load: From the name and rows of a split to its arrays.
        description: What trained layers read each epoch, and where from.
        features: Identity of the frozen features that a head alone is trained on; else empty.
        engine: Name of what frozen layers run on; empty where there are none.
        training_reads_more: Whether training reads more of a picture than validation does.
        found: What was found of a user's own network; empty of others.
        speed: Measures how long one picture takes from its file to what an epoch reads of it; no
            time where each epoch begins at the files anyway.
    """

    network: Network
    load: LoadArrays
    description: str
    features: str
    engine: str
    speed: Callable[[], Speed]
    training_reads_more: bool = False
    found: str = ""


def prepare_inputs(
    plan: Plan, index: ImageIndex, progress: Progress, executor: Executor = THIS_PROCESS
) -> Inputs:
    """Build the network and choose how its splits are read; nothing is read yet.

    Args:
        executor: Who passes pictures through frozen layers.
    """
    if plan.architecture.scratch:
        small = ScratchNetwork(plan.architecture, plan.image_size, plan.config.input)
        return pixel_inputs(plan, index, small, None, progress)
    source = feature_source(plan)
    found = source.backbone.said if isinstance(source.backbone, OwnBackbone) else ""
    if found:
        progress.say(found)
    return replace(_inputs_of(plan, index, source, progress, executor), found=found)


def _inputs_of(
    plan: Plan,
    index: ImageIndex,
    source: BackboneSource,
    progress: Progress,
    executor: Executor,
) -> Inputs:
    """Choose how the splits of a network with a frozen part, or without any, are read."""
    backbone = source.backbone
    read = read_features(source, index, progress, executor)
    if not plan.unfrozen.anything:
        return Inputs(
            FrozenNetwork(backbone.model, source.residuals, source.maps),
            read,
            "cached features",
            source.identity,
            source.engine_name if source.maps else "",
            lambda: _extraction_speed(source, index),
        )
    cut = backbone.cut(plan.unfrozen)
    if cut.below is not None:
        on_map = TunedNetwork(cut, everything=False)
        if inputs := map_inputs(plan, index, on_map, source, progress, executor):
            return inputs
    scratch = plan.unfrozen.everything and plan.weights.label == "random"
    network = TunedNetwork(cut.at_input(), plan.unfrozen.on_pixels, scratch)
    if scratch:
        return pixel_inputs(plan, index, network, None, progress)
    inputs = pixel_inputs(plan, index, network, read, progress)
    return replace(inputs, engine=source.engine_name)


def cache_budget(cache_gb: float, folder: Path) -> float:
    """Return how many bytes may be cached: as asked for, else a share of the free disk."""
    if cache_gb:
        return cache_gb * GB
    return min(FREE_SHARE * shutil.disk_usage(folder).free, MOST_GB * GB)


def feature_source(plan: Plan) -> BackboneSource:
    """Build the frozen backbone, with all that decides its features."""
    on_gpu = bool(gpus()) or plan.config.workers.on_gpus
    engine = TENSORFLOW_ENGINE if on_gpu and plan.config.engine == AUTO else plan.engine
    batch = GPU_BATCH if on_gpu else plan.architecture.cpu_batch
    if engine == ONNX_ENGINE:
        batch = int(np.clip(ONNX_BATCH_A_CORE * PARALLEL_CALLS, *ONNX_BATCH))
    return BackboneSource(
        title=plan.architecture.key,
        backbone=open_backbone(plan.architecture, plan.image_size, plan.weights),
        fit=plan.config.fit,
        equalisation=plan.equalisation,
        batch_size=plan.config.batch_size or batch,
        engine_name=engine,
        residuals=not plan.unfrozen.anything,
        maps=plan.architecture.pretrained,
    )


def read_features(
    source: FeatureSource,
    index: ImageIndex,
    progress: Progress,
    executor: Executor = THIS_PROCESS,
) -> LoadArrays:
    """Return what reads the features of a split, the test split's as it is scored."""

    def read(split: str, rows: pd.DataFrame) -> SplitArrays:
        of_split = source.for_scoring() if split == "test" else source
        digests, files = list(rows["digest"]), index.files(rows)
        cached = cached_features(of_split, digests, files, progress, executor)
        return SplitArrays({}).with_arrays(cached)

    return read


def map_inputs(
    plan: Plan,
    index: ImageIndex,
    network: TunedNetwork,
    source: BackboneSource,
    progress: Progress,
    executor: Executor = THIS_PROCESS,
) -> Inputs | None:
    """Read the map at the cut from the disk; None where it does not fit there."""
    plain = replace(source, cut=network.cut)
    of_splits = {split: plain.for_scoring() if split == "test" else plain for split in SPLITS}
    mirrored = None
    if _augments(plan, network, "flip"):
        mirrored = replace(plain, mirrored=True)
    shape = network.cut.above.inputs[0].shape[1:]
    sizes = {}
    trained_on = ("train", "valid") if plan.config.folds else ("train",)
    mirrors = [(split, mirrored) for split in trained_on if mirrored]
    for split, of_split in (*of_splits.items(), *mirrors):
        digests = list(index.split(split)["digest"])
        sizes[of_split.folder(digests)] = len(digests) * prod(shape) * _FLOAT16_BYTES
    size = sum(sizes.values())
    shown = f"the map after {network.cut.label} ({'×'.join(map(str, shape))}), {size / GB:.2f} GB"
    if not _fits(plan, sizes):
        progress.say(f"{shown}, is more than cache_gb: it is computed again each epoch")
        return None

    def load(split: str, rows: pd.DataFrame) -> SplitArrays:
        digests, files = list(rows["digest"]), index.files(rows)

        def features_by(source: BackboneSource) -> CachedArrays:
            return cached_features(source, digests, files, progress, executor)

        read = SplitArrays({}).with_arrays(features_by(of_splits[split]))
        if split == "train" and mirrored:
            read = read.with_mirrored(features_by(mirrored))
        return read

    return Inputs(
        network,
        load,
        f"{shown}, cached",
        "",
        source.engine_name,
        lambda: _extraction_speed(plain, index),
        training_reads_more=mirrored is not None,
    )


def pixel_inputs(
    plan: Plan,
    index: ImageIndex,
    network: TrainedNetwork,
    features: LoadArrays | None,
    progress: Progress,
) -> Inputs:
    """Read decoded pixels from the disk where they fit, else decode them each epoch."""
    # A picture that is scaled whole has nothing around what the network sees.
    crops = network.crops and plan.config.fit == "crop" and _augments(plan, network, "crop")

    def pictures(read_as: str, rows: pd.DataFrame) -> Pictures:
        side = side_with_room(plan.image_size) if crops and read_as == "train" else plan.image_size
        how = (plan.image_size, plan.config.fit, side, plan.equalisation)
        return Pictures(index.files(rows), *how, list(rows["digest"]))

    readings = [(split, split) for split in SPLITS]
    if plan.config.folds:
        readings += [("valid", "train"), ("train", "valid")]
    wanted = {(split, how): pictures(how, index.split(split)) for split, how in readings}
    sizes = {pixels_folder(some): some.bytes for some in wanted.values()}
    kept = _fits(plan, sizes)

    def load(read_as: str, rows: pd.DataFrame) -> SplitArrays:
        # Test is only scored, on pixels; the head is fitted on features of the others.
        read = features(read_as, rows) if features and read_as != "test" else SplitArrays({})
        of_rows = pictures(read_as, rows)
        if kept:
            return read.with_arrays(cached_pixels(of_rows, progress))
        return replace(read, arrays={**read.arrays, **on_demand(of_rows)})

    def speed() -> Speed:
        if not kept:
            return Speed()
        return decoding_speed(wanted["train", "train"], index.digest)

    where = "cached" if kept else "decoded again each epoch"
    description = f"pixels, {sum(sizes.values()) / GB:.2f} GB, {where}"
    return Inputs(network, load, description, "", "", speed, training_reads_more=crops)


def _extraction_speed(source: FeatureSource, index: ImageIndex) -> Speed:
    rows = index.split("train")
    return extraction_speed(source, index.files(rows), list(rows["digest"]), index.digest)


def _augments(plan: Plan, network: TrainedNetwork, how: str) -> bool:
    """Whether any augmentation that a trial may draw does this: `flip` or `crop`."""
    keys = augments_in_play(plan.config.augment, network.augments)
    return any(getattr(AUGMENTATIONS[key], how) for key in keys)


def _fits(plan: Plan, sizes: Mapping[Path, int]) -> bool:
    """Whether the missing part of some folders may be cached; a study that goes on has most."""
    missing = sum(missing_bytes(folder, size) for folder, size in sizes.items())
    return missing <= cache_budget(plan.config.cache_gb, cache_folder("features"))
