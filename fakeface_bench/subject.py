"""What a study examines: a network, the index of its images, and a reader of their splits."""

from dataclasses import dataclass

import pandas as pd

from fakeface_bench.architectures.backbones import build_backbone
from fakeface_bench.data.audit import Audit, make_audit
from fakeface_bench.data.index import ImageIndex, build_index
from fakeface_bench.data.pixels import cached_pixels
from fakeface_bench.data.publish import CachedArrays
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import prepare_sources
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.evaluation.shortcut import shortcut_floors
from fakeface_bench.features.reader import LoadArrays, SplitReader
from fakeface_bench.features.store import FeatureSource, cached_features
from fakeface_bench.models.networks import FrozenNetwork, Network, ScratchNetwork
from fakeface_bench.plan import Plan
from fakeface_bench.progress import Progress
from fakeface_bench.runtime import gpus

#: Images a step through a frozen backbone on a GPU.
GPU_BATCH = 128


@dataclass(frozen=True, slots=True)
class Subject:
    """A network, its data, and what an audit found in them."""

    network: Network
    index: ImageIndex
    audit: Audit
    reader: SplitReader


def prepare_subject(plan: Plan, progress: Progress) -> Subject:
    """Read the dataset's index and build the network; its splits are read when asked for."""
    survey = survey_sources(prepare_sources(plan.config.data, progress), progress)
    files = select_files(survey, plan.config.seed)
    index = build_index(survey, files, plan.config.limit, progress)
    audit = make_audit(survey, files, shortcut_floors(files))
    if plan.architecture.pretrained:
        network, load = _frozen(plan, index, progress)
    else:
        network, load = _from_scratch(plan, index, progress)
    return Subject(network, index, audit, SplitReader(index, load, plan.config.balance))


def _frozen(plan: Plan, index: ImageIndex, progress: Progress) -> tuple[Network, LoadArrays]:
    backbone = build_backbone(plan.architecture, plan.image_size, plan.weights)
    source = FeatureSource(
        backbone=backbone,
        architecture=plan.architecture,
        weights=plan.weights.identity,
        fit=plan.config.fit,
        batch_size=plan.config.batch_size or (GPU_BATCH if gpus() else plan.architecture.cpu_batch),
    )

    def load(rows: pd.DataFrame) -> CachedArrays:
        return cached_features(source, list(rows["digest"]), index.files(rows), progress)

    return FrozenNetwork(backbone), load


def _from_scratch(plan: Plan, index: ImageIndex, progress: Progress) -> tuple[Network, LoadArrays]:
    def load(rows: pd.DataFrame) -> CachedArrays:
        files = index.files(rows)
        return cached_pixels(
            list(rows["digest"]), files, plan.image_size, plan.config.fit, progress
        )

    return ScratchNetwork(plan.architecture, plan.image_size), load
