"""A study's trials leave nothing behind: fifty in one process hold what ten do."""

import gc
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tensorflow.python.framework.func_graph import FuncGraph

from benchmarks.memory import MOST_GROWTH, STUDIES, TRIALS, Watch, growth, watched_study
from fakeface_bench.backbones.building import build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.config import HeadConfig, TrialConfig
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features.pooling import layout_of
from fakeface_bench.features.samples import Samples
from fakeface_bench.search.optimise import SearchTask, optimise
from fakeface_bench.search.space import Space
from fakeface_bench.search.storage import open_study
from fakeface_bench.search.trial import TrialListener
from fakeface_bench.training.fit import fit_record
from fakeface_bench.training.networks import FitTask, FrozenNetwork

#: Enough for graphs to count; of memory, fifty trials tell.
FAST_TRIALS = 16
SIZE = 32


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_fifty_trials_hold_what_ten_do(name: str, tiny_faces: Path) -> None:
    figures = watched_study(name, tiny_faces, TRIALS)
    assert len(figures["held_mb"]) == TRIALS
    assert "failed" not in figures["trials"]
    assert abs(figures["growth_after_10"]) <= MOST_GROWTH, figures


def graphs() -> int:
    """Return how many traced graphs this process holds."""
    gc.collect()
    return sum(issubclass(type(held), FuncGraph) for held in gc.get_objects())


@pytest.mark.slow
def test_trials_of_a_head_leave_nothing_behind(tmp_path: Path) -> None:
    network = FrozenNetwork(
        build_backbone(architecture_named("mobilenetv3_small"), SIZE, Weights("random"))
    )
    layout = layout_of(network.backbone.outputs)
    widths = {"pooled": layout.pooled_width, "max2x2": layout.max2x2_width}
    rng = np.random.default_rng(0)

    def samples(images: int) -> Samples:
        arrays = {
            name: rng.normal(size=(images, width)).astype(np.float16)
            for name, width in widths.items()
        }
        labels = (np.arange(images) % 2).astype(np.uint8)
        return Samples(arrays, labels)

    task = FitTask(network, samples(16), samples(8), 1, 0, roc_auc)
    study = open_study(f"sqlite:///{tmp_path / 'studies.db'}", "memory", {"model": "head"})
    search = SearchTask(task, FAST_TRIALS, 0, Space(network, 0, "search"), 0.0)
    for units, batch_norm in product((0, 8), (False, True)):  # one graph each, which stays
        fit_record(task, TrialConfig(HeadConfig(units=units, batch_norm=batch_norm)))
    watch, before = Watch(), graphs()
    optimise(study, search, TrialListener(), watch)
    assert graphs() <= before
    assert len(watch.held_mb) == FAST_TRIALS
    assert growth(watch.held_mb) <= MOST_GROWTH, watch.held_mb
