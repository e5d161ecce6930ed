"""Layers under the head: what a fit trains, what it leaves alone, and how it survives trouble."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.config import HeadConfig, TrialConfig, TuningConfig
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features.samples import Samples
from fakeface_bench.records.study import EpochRecord, FitRecord
from fakeface_bench.support import disk as folders
from fakeface_bench.support.errors import DiskError, StudyError
from fakeface_bench.support.parcel import FileContent
from fakeface_bench.training import fit as layers
from fakeface_bench.training.batches import forward_of
from fakeface_bench.training.checkpoint import (
    KeptFit,
    checkpoint_file,
    forget_fit,
    kept_files,
    told_checkpoints,
)
from fakeface_bench.training.fit import as_served, fit
from fakeface_bench.training.head import Calibration
from fakeface_bench.training.networks import FitTask, ScratchNetwork, TunedNetwork
from tests.reliability.small_disk import fill, small_disk
from tests.training.conftest import CONFIG, NORMS, ROW, SIZE, Workbench, pictures

Fitted = tuple[keras.Model, FitRecord]


@pytest.fixture(scope="module")
def task(workbench: Workbench) -> FitTask:
    return workbench.task(workbench.network("last_block"))


@pytest.fixture(scope="module")
def fitted(task: FitTask, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(replace(task, checkpoints=kept_in(tmp_path_factory)), CONFIG)


@pytest.fixture
def kept(
    task: FitTask, fitted: Fitted, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> FitTask:
    """The same fit, with what it left behind."""
    shutil.copytree(kept_in(tmp_path_factory), tmp_path / "kept")
    return replace(task, checkpoints=tmp_path / "kept")


def kept_in(factory: pytest.TempPathFactory) -> Path:
    folder = factory.getbasetemp() / "fitted"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def all_fitted(workbench: Workbench) -> tuple[FitTask, Fitted]:
    task = workbench.task(workbench.network("all"), epochs=2)
    return task, fit(task, CONFIG)


def figures(record: FitRecord) -> list[tuple[float, ...]]:
    return [(e.train_loss, e.val_loss, e.val_roc_auc) for e in record.epochs]


def batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += batch_norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            found.append(layer)
    return found


def assert_same_weights(one: keras.Model, other: keras.Model) -> None:
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_head_comes_first_and_the_layers_after_it(fitted: Fitted) -> None:
    _, record = fitted
    assert [e.stage for e in record.epochs] == ["head"] * 2 + ["fine_tune"] * 2
    assert [e.epoch for e in record.epochs] == [0, 1, 2, 3]
    assert [e.batch_size for e in record.epochs] == [64, 64, 8, 8]
    assert record.best.stage == "fine_tune"
    assert len(record.last_stage) == 2


@pytest.mark.parametrize("spec", ["last_block", "all"])
def test_statistics_of_batch_norm_are_bit_equal_after_a_fit(
    workbench: Workbench, spec: str, fitted: Fitted, all_fitted: tuple[FitTask, Fitted]
) -> None:
    model = fitted[0] if spec == "last_block" else all_fitted[1][0]
    (original,) = (la for la in workbench.backbone.layers if isinstance(la, keras.Model))
    norms = batch_norms(model)
    assert len(norms) == NORMS[spec]
    for layer in norms:
        kept = original.get_layer(layer.name).get_weights()
        for value, before in zip(layer.get_weights(), kept, strict=True):
            np.testing.assert_array_equal(value, before)


def test_of_normalisation_layers_scale_and_shift_alone_learn(workbench: Workbench) -> None:
    network = workbench.network("norms")
    model, record = fit(workbench.task(network), CONFIG)
    start = network.trainable(None, CONFIG.head, 1, "float32").get_layer(ROW.key)
    moved = {
        weight.path.rpartition("/")[2]
        for weight, before in zip(
            model.get_layer(ROW.key).weights, start.get_weights(), strict=True
        )
        if (weight.numpy() != before).any()
    }
    assert moved == {"gamma", "beta"}
    assert {e.stage for e in record.last_stage} == {"fine_tune"}


def test_unfrozen_layers_learn_and_the_backbone_itself_stays(
    workbench: Workbench, task: FitTask
) -> None:
    before = workbench.backbone.get_weights()
    model, record = fit(replace(task, epochs=4), CONFIG)
    start = workbench.network("last_block").trainable(None, CONFIG.head, 1, "float32")
    moved = [
        np.abs(a - b).max()
        for a, b in zip(
            model.get_layer(ROW.key).get_weights(),
            start.get_layer(ROW.key).get_weights(),
            strict=True,
        )
    ]
    assert max(moved) > 1e-3
    assert record.last_stage[-1].train_loss < record.last_stage[0].train_loss
    for a, b in zip(workbench.backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_fit_gives_the_same_weights(task: FitTask, fitted: Fitted) -> None:
    again, record = fit(task, CONFIG)
    assert_same_weights(again, fitted[0])
    assert figures(record) == figures(fitted[1])


@pytest.mark.parametrize("spec", ["last_block", pytest.param("20", marks=pytest.mark.slow)])
def test_cached_at_the_cut_or_streamed_through_the_frozen_part_is_the_same(
    workbench: Workbench, spec: str
) -> None:
    """Within float16's precision, with dropout and mirroring at work."""
    config = replace(CONFIG, head=replace(CONFIG.head, dropout=0.3))
    task = workbench.task(workbench.network(spec))
    streaming = replace(task, network=workbench.network(spec, on_map=False))
    _, cached = fit(task, config)
    _, streamed = fit(streaming, config)
    for one, other in zip(figures(cached), figures(streamed), strict=True):
        assert one[:2] == pytest.approx(other[:2], abs=2e-3)
        assert one[2] == pytest.approx(other[2], abs=0.015)  # two pairs of 144
    assert cached.epochs[-1].train_loss != cached.epochs[2].train_loss


def test_the_complete_model_scores_pictures_as_the_fitted_one_scores_the_cache(
    workbench: Workbench, task: FitTask, fitted: Fitted, tmp_path: Path
) -> None:
    network = task.network
    assert isinstance(network, TunedNetwork)
    complete = network.complete(fitted[0], CONFIG.head, Calibration(1.5, -0.2))
    pixels, _ = pictures(24, 1)
    rows = task.valid.rows(np.arange(24), network.parts(CONFIG.head))
    logits = np.asarray(forward_of(network, fitted[0])(rows))
    expected = 1 / (1 + np.exp(-(1.5 * logits - 0.2)))
    scores = complete(pixels.astype(np.float32)).numpy()
    np.testing.assert_allclose(scores, expected, atol=2e-3)
    complete.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(pixels.astype(np.float32)).numpy(), scores)


def stopping(after: int) -> Callable[[EpochRecord], None]:
    """A listener that ends a fit as a kill between two epochs does."""

    def on_epoch(record: EpochRecord) -> None:
        if record.epoch == after:
            raise KeyboardInterrupt

    return on_epoch


@pytest.mark.parametrize("dropout", [pytest.param(0.0, marks=pytest.mark.slow), 0.4])
def test_an_interrupted_fit_goes_on_and_ends_the_same(
    task: FitTask, tmp_path: Path, dropout: float
) -> None:
    config = replace(CONFIG, head=replace(CONFIG.head, dropout=dropout))
    whole, record = fit(replace(task, epochs=4), config)
    resumable = replace(task, epochs=4, checkpoints=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(resumable, config, stopping(after=5))
    seen: list[EpochRecord] = []
    model, resumed = fit(resumable, config, seen.append)
    assert_same_weights(model, whole)
    assert figures(resumed) == figures(record)
    assert tuple(seen) == resumed.epochs
    assert len(list(tmp_path.iterdir())) == 1


def test_a_fit_goes_on_elsewhere_from_what_it_told_of_itself(
    task: FitTask, fitted: Fitted, tmp_path: Path
) -> None:
    """As on machines that do not see where the driver keeps it: both have folders of their own."""
    at_home = replace(task, epochs=4, checkpoints=tmp_path / "driver")
    away = replace(at_home, checkpoints=None)
    told: list[object] = []

    def hear(something: object) -> None:
        if isinstance(something, KeptFit):
            something.write(tmp_path / "driver")
        told.append(something)
        if len([each for each in told if isinstance(each, EpochRecord)]) == 5:
            raise InterruptedError

    first = kept_files(at_home, CONFIG)
    assert [file.exists() for file in first] == [False]
    with (
        pytest.raises(InterruptedError),
        told_checkpoints(away, [None], hear) as (worker, tell),
    ):
        fit(worker, CONFIG, tell)
    kinds = [type(each) for each in told]
    assert kinds[-2:] == [KeptFit, EpochRecord], "nothing is told that could be lost"
    (file,) = kept_files(at_home, CONFIG)
    travelled = FileContent(str(file), file.read_bytes())
    told.clear()
    with told_checkpoints(away, [travelled], told.append) as (worker, tell):
        model, record = fit(worker, CONFIG, tell)
    again = [type(each) for each in told]
    assert again[:5] == [EpochRecord] * 5, "they are told once more, and not run"
    assert again[5:] == [KeptFit, EpochRecord] * 3
    whole, undisturbed = fit(replace(away, checkpoints=tmp_path / "whole"), CONFIG)
    assert figures(record) == figures(undisturbed)
    assert_same_weights(model, whole)


def test_a_finished_fit_is_loaded_and_not_run_again(
    kept: FitTask, fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*arguments: object) -> object:
        raise AssertionError("a finished fit was trained again")

    monkeypatch.setattr(layers, "fit_head", trained)
    monkeypatch.setattr(layers, "_train_layers_epoch", lambda *_: trained)
    model, again = fit(kept, CONFIG)
    assert again == fitted[1]
    assert_same_weights(model, fitted[0])


def test_other_options_are_another_fit_and_a_forgotten_one_is_gone(
    task: FitTask, tmp_path: Path
) -> None:
    kept = replace(task, checkpoints=tmp_path)
    file = checkpoint_file(kept, CONFIG)
    assert file is not None
    assert checkpoint_file(kept, replace(CONFIG, augment="none")) != file
    assert checkpoint_file(replace(kept, precision="mixed_bfloat16"), CONFIG) != file
    assert checkpoint_file(task, CONFIG) is None
    file.write_bytes(b"")
    forget_fit(kept, CONFIG)
    forget_fit(kept, CONFIG)
    assert not file.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_broken_checkpoint_is_told_and_the_fit_starts_anew(
    kept: FitTask, fitted: Fitted, damage: str
) -> None:
    description: list[str] = []
    kept = replace(kept, warn=description.append)
    assert kept.checkpoints is not None
    (file,) = kept.checkpoints.iterdir()
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    file.write_bytes({"cut": content[:-500], "flipped": content, "emptied": b""}[damage])
    _, record = fit(kept, CONFIG)
    assert figures(record) == figures(fitted[1])
    assert len(description) == 1
    assert f"the checkpoint {file} is broken" in description[0]


@pytest.mark.parametrize(
    "when", [pytest.param("before it is written", marks=pytest.mark.slow), "while it is written"]
)
def test_a_checkpoint_without_room_is_told_and_the_one_before_is_gone_on_with(
    task: FitTask, fitted: Fitted, tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    description: list[str] = []
    seen: list[EpochRecord] = []

    def on_epoch(record: EpochRecord) -> None:
        seen.append(record)
        if record.epoch == 2:
            fill(disk)
            if when == "while it is written":  # as if the room had gone since it was checked
                monkeypatch.setattr(folders, "check_room", lambda *_: None)

    with small_disk(tmp_path / "disk", 2**25) as disk:
        kept = replace(task, checkpoints=disk / "fits", warn=description.append)
        with pytest.raises(DiskError, match=rf"full: [\d,]+ bytes .*{disk}/fits, and 0 are free"):
            fit(kept, CONFIG, on_epoch)
        (file,) = (disk / "fits").iterdir()
        assert file == checkpoint_file(kept, CONFIG)
        (disk / "filler").unlink()
        model, resumed = fit(kept, CONFIG)
        assert description == []
    assert resumed.epochs[: len(seen)] == tuple(seen), "with their very seconds: not run again"
    assert figures(resumed) == figures(fitted[1])
    assert_same_weights(model, fitted[0])


class Greedy(TunedNetwork):
    """Asks for four terabytes where a batch has more than two rows: a real allocation fails."""

    limit = 2

    def trainable(self, *arguments: Any) -> keras.Model:
        model = super().trainable(*arguments)
        limit = self.limit

        class Hoard(keras.layers.Layer):
            def call(self, x: Any) -> Any:
                def hoard() -> Any:
                    rows = tf.shape(x, out_type=tf.int64)[:1]
                    return tf.reduce_sum(tf.fill(rows * 2**38, 1.0)) * 0.0

                large = tf.shape(x)[0] > limit
                return x + tf.cond(large, hoard, lambda: 0.0)

        entry = keras.Input(model.inputs[0].shape[1:])
        return keras.Model(entry, model(Hoard()(entry)), name=model.name)


@pytest.mark.slow
def test_a_batch_that_does_not_fit_into_memory_is_halved_and_said_so(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fakeface_bench.training.batches.PICTURE_BATCH", 2)
    network = workbench.network("last_block")
    description: list[str] = []
    greedy = Greedy(network.cut, everything=False)
    task = replace(workbench.task(network, train=16), network=greedy, warn=description.append)
    _, record = fit(task, replace(CONFIG, tuning=TuningConfig(1e-3, 1e-2, 5)))
    assert description == ["out of memory: going on with 2 images a step"]
    assert [e.batch_size for e in record.last_stage] == [2, 2]
    assert len(record.epochs) == 4


@pytest.mark.slow
def test_where_not_even_one_image_fits_the_error_says_what_to_do(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Greedy, "limit", 0)
    network = workbench.network("last_block")
    greedy = Greedy(network.cut, everything=False)
    task = replace(workbench.task(network, train=8), network=greedy)
    with pytest.raises(StudyError, match=r"not even one image.*smaller image_size.*fine_tune"):
        fit(task, replace(CONFIG, tuning=TuningConfig(1e-3, 1e-2, 2)))


def test_early_stopping_watches_the_last_stage(task: FitTask) -> None:
    falling = iter([0.5, 0.9, 0.7, *[0.6] * 30])
    scripted = replace(task, epochs=2, objective=lambda y, m: next(falling))
    _, record = fit(scripted, CONFIG)
    assert record.best_epoch == 2, "the best of the layers' epochs, whatever the head alone had"
    falling = iter([0.5] * 30 + [0.9] + [0.6] * 30)
    patient = replace(task, epochs=30, objective=lambda y, m: next(falling))
    _, record = fit(patient, replace(CONFIG, head=replace(CONFIG.head, learning_rate=1e-4)))
    assert len(record.epochs) - len(record.last_stage) == 1 + task.patience


def test_mixed_precision_trains_and_is_scored_in_float32(task: FitTask) -> None:
    mixed = replace(task, precision="mixed_bfloat16")
    trained, record = fit(mixed, CONFIG)
    assert trained.get_layer(ROW.key).get_layer("conv_1").compute_dtype == "bfloat16"
    model = as_served(mixed, CONFIG, trained)
    assert all(layer.compute_dtype == "float32" for layer in model.get_layer(ROW.key).layers)
    assert np.isfinite([e.val_loss for e in record.epochs]).all()
    network = task.network
    rows = task.valid.rows(np.arange(24), network.parts(CONFIG.head))
    full = np.asarray(forward_of(network, model)(rows))
    assert np.ptp(full) > 0
    best = record.best.val_roc_auc
    assert task.objective(task.valid.labels, full[:, 0]) == pytest.approx(best, abs=0.1)


@pytest.mark.slow
def test_float16_goes_on_from_where_it_was_with_its_loss_scale(
    task: FitTask, tmp_path: Path
) -> None:
    half = replace(task, epochs=3, precision="mixed_float16")
    whole, record = fit(half, CONFIG)
    with pytest.raises(KeyboardInterrupt):
        fit(replace(half, checkpoints=tmp_path), CONFIG, stopping(after=3))
    model, resumed = fit(replace(half, checkpoints=tmp_path), CONFIG)
    assert figures(resumed) == figures(record)
    assert_same_weights(model, whole)


def test_the_learning_rate_warms_up_and_falls_to_zero(task: FitTask) -> None:
    network = task.network
    assert isinstance(network, TunedNetwork)
    model = layers.compiled_layers(replace(task, epochs=10), network, CONFIG, None, steps=20)
    schedule = model.optimizer._learning_rate
    rates = [float(schedule(step)) for step in range(200)]
    assert rates[0] == 0
    assert int(np.argmax(rates)) == 20
    assert max(rates) == pytest.approx(1e-3)
    assert rates[10] == pytest.approx(5e-4)
    assert np.all(np.diff(rates[20:]) < 0)
    assert rates[-1] < 1e-4 * max(rates) * 10


@pytest.mark.slow
def test_a_whole_backbone_from_scratch_learns_its_statistics(workbench: Workbench) -> None:
    network = workbench.network("all", scratch=True)
    _, record = fit(workbench.task(network, epochs=1), replace(CONFIG, tuning=None))
    assert {e.stage for e in record.epochs} == {"scratch"}
    assert record.epochs[0].batch_size == CONFIG.head.batch_size


def test_a_small_network_from_scratch_is_trained_and_resumed_alike(tmp_path: Path) -> None:
    samples = []
    for images, seed in ((48, 0), (24, 1)):
        pixels, labels = pictures(images, seed)
        spare = np.zeros((images, 2), np.int32)
        samples.append(Samples({"images": pixels, "spare": spare}, labels))
    network = ScratchNetwork(architecture_named("simple_cnn_pool"), SIZE)
    task = FitTask(network, *samples, 6, 0, roc_auc)
    head = HeadConfig(batch_norm=True, batch_size=16, learning_rate=3e-3)
    config = TrialConfig(head, "strong")
    whole, record = fit(task, config)
    with pytest.raises(KeyboardInterrupt):
        fit(replace(task, checkpoints=tmp_path), config, stopping(after=2))
    model, resumed = fit(replace(task, checkpoints=tmp_path), config)
    assert figures(resumed) == figures(record)
    assert_same_weights(model, whole)
    assert record.best.val_roc_auc > 0.9, "a planted pattern"


SEVERAL = """
import sys
import tensorflow as tf
from fakeface_bench.support import machine
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
machine.replica_devices = lambda: ["CPU:0", "CPU:1"]
machine.start_tensorflow()
import numpy as np
from dataclasses import replace
from pathlib import Path
from tests.reliability.small_disk import fill, small_disk
from tests.training.conftest import CONFIG, Workbench, settle, tiny_backbone
from fakeface_bench.training.fit import as_served, fit
from fakeface_bench.training import fit as fitting
seen = []
original = fitting.compiled_layers
def compiled(*arguments, **named):
    model = original(*arguments, **named)
    seen.append(model.distribute_strategy.num_replicas_in_sync)
    return model
fitting.compiled_layers = compiled
backbone = tiny_backbone()
settle(backbone)
bench = Workbench(backbone)
task = bench.task(bench.network("last_block"))
_, record = fit(task, CONFIG)
folder = Path(sys.argv[1])
def stop(epoch):
    if epoch.epoch == 2: raise KeyboardInterrupt
try: fit(replace(task, checkpoints=folder), CONFIG, stop)
except KeyboardInterrupt: pass
_, resumed = fit(replace(task, checkpoints=folder), CONFIG)
print("REPLICAS", *seen)
print("LOSSES", *(e.train_loss for e in record.last_stage))
print("RESUMED", *(e.train_loss for e in resumed.last_stage))
"""


@pytest.mark.slow
def test_several_devices_share_the_batches_and_give_the_same_figures(
    workbench: Workbench, tmp_path: Path
) -> None:
    """Two logical processors stand for two GPUs: the strategy, its scope and checkpoints."""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.run(
        [sys.executable, "-c", SEVERAL, str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    lines = dict(line.split(" ", 1) for line in process.stdout.splitlines() if " " in line)
    assert lines["REPLICAS"].split() == ["2", "2", "2"]
    losses = [float(value) for value in lines["LOSSES"].split()]
    assert [float(v) for v in lines["RESUMED"].split()] == pytest.approx(losses, rel=1e-4)
    assert np.isfinite(losses).all()
