"""Features are what the backbone gives, whatever the batch, and are made once."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fakeface_bench.backbones.building import build_backbone, open_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights, resolve_weights
from fakeface_bench.config import ENGINES
from fakeface_bench.data.array_store import CachedArrays
from fakeface_bench.data.decode import Equalisation
from fakeface_bench.data.index import ImageIndex, build_index
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.features.pooling import (
    STATISTICS,
    FeatureLayout,
    feature_model,
    layout_of,
    pool_last_2x2,
)
from fakeface_bench.features.samples import SplitArrays
from fakeface_bench.features.source import BackboneSource, FeatureSource, LoggedSource
from fakeface_bench.features.store import cached_features
from tests.conftest import RecordedProgress, load_image, shared

SIZE = 96


@pytest.fixture(scope="module")
def source() -> BackboneSource:
    row = architecture_named("mobilenetv3_small")
    backbone = open_backbone(row, SIZE, Weights("random"))
    return BackboneSource(row.key, "crop", 16, backbone=backbone)


def index_of(folder: Path, progress: RecordedProgress) -> ImageIndex:
    survey = survey_sources([Source("faces", folder)], progress)
    return build_index(survey, select_files(survey, seed=0), 0, progress)


@pytest.fixture
def rows(tiny_faces: Path, progress: RecordedProgress) -> pd.DataFrame:
    index = index_of(tiny_faces, progress)
    return index.split("train").assign(path=lambda r: index.files(r))


def features_of(
    source: FeatureSource, rows: pd.DataFrame, progress: RecordedProgress
) -> CachedArrays:
    return cached_features(source, list(rows["digest"]), list(rows["path"]), progress)


def test_frozen_graph_gives_what_the_model_gives(
    source: FeatureSource, rows: pd.DataFrame, progress: RecordedProgress, fresh_cache: Path
) -> None:
    cached = features_of(source, rows, progress).arrays
    pictures = np.stack([load_image(Path(path), SIZE, "crop") for path in rows["path"]])
    expected = source.model(pictures.astype(np.float32))
    for name, array in expected.items():
        assert cached[name].dtype == np.float16
        np.testing.assert_allclose(
            cached[name].astype(np.float32), array.numpy().astype(np.float32), rtol=4e-3, atol=2e-3
        )


def test_a_row_does_not_depend_on_its_batch(
    source: FeatureSource,
    rows: pd.DataFrame,
    progress: RecordedProgress,
    fresh_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = features_of(source, rows, progress).arrays["pooled"]
    monkeypatch.setenv("FAKEFACE_CACHE", str(fresh_cache / "another"))
    one = features_of(source, rows.tail(1), progress).arrays["pooled"]
    np.testing.assert_array_equal(one[0], whole[-1])


def test_the_same_images_are_extracted_once(
    source: FeatureSource, rows: pd.DataFrame, progress: RecordedProgress, fresh_cache: Path
) -> None:
    first = features_of(source, rows, progress)
    moved = rows.assign(path="nowhere.jpg")
    second = features_of(source, moved, progress)
    assert (first.made_now, second.made_now) == (True, False)
    assert second.facts == first.facts
    assert len(progress.stages) == 1


def test_an_image_passes_the_network_once_whatever_it_is_extracted_with(
    source: FeatureSource, rows: pd.DataFrame, progress: RecordedProgress, fresh_cache: Path
) -> None:
    first, second, both = rows.iloc[:10], rows.iloc[10:15], rows.iloc[14:4:-1]
    known = [features_of(source, part, progress) for part in (first, second)]
    joined = features_of(source, both.assign(path="nowhere.jpg"), progress)
    assert [total for _, total in progress.stages] == [10, 5]
    assert (joined.made_now, joined.facts["images_extracted"]) == (True, 0)
    held = {
        digest: row
        for part, cached in zip((first, second), known, strict=True)
        for digest, row in zip(part["digest"], cached.arrays["pooled"], strict=True)
    }
    expected = np.stack([held[digest] for digest in both["digest"]])
    np.testing.assert_array_equal(joined.arrays["pooled"], expected)
    more = features_of(source, rows.iloc[:20], progress)
    assert progress.stages[-1][1] == more.facts["images_extracted"] == 5
    np.testing.assert_array_equal(more.arrays["max2x2"][:10], known[0].arrays["max2x2"])
    (charged,) = SplitArrays({}).with_arrays(joined).charges.values()
    assert (charged.images, charged.images_made) == (10, 0)
    assert charged.amortised_seconds == pytest.approx(
        sum(5 * cached.facts["seconds_per_image"] for cached in known)
    )


def test_a_file_that_is_there_twice_moves_no_other_row(
    source: FeatureSource, rows: pd.DataFrame, progress: RecordedProgress, fresh_cache: Path
) -> None:
    twice = rows.iloc[[0, 0, 1, 2]]
    whole = features_of(source, twice, progress).arrays["pooled"]
    part = features_of(source, rows.iloc[1:3].assign(path="nowhere.jpg"), progress)
    np.testing.assert_array_equal(part.arrays["pooled"], whole[2:])
    both = features_of(source, rows.iloc[[2, 0, 0]].assign(path="nowhere.jpg"), progress)
    np.testing.assert_array_equal(both.arrays["pooled"], whole[[3, 0, 0]])


def test_a_logged_model_finds_what_its_study_extracted(
    source: BackboneSource, rows: pd.DataFrame, progress: RecordedProgress, fresh_cache: Path
) -> None:
    features_of(source, rows.head(5), progress)
    loaded = keras.models.clone_model(source.model)
    loaded.set_weights(source.model.get_weights())
    logged = LoggedSource(
        "a model", "crop", 32, logged_model=loaded, logged_identity=source.identity
    )
    assert features_of(logged, rows.head(5), progress).made_now is False
    loaded.set_weights([weight + 1 for weight in loaded.get_weights()])
    forged = LoggedSource(
        "a model", "crop", 32, logged_model=loaded, logged_identity=source.identity
    )
    assert forged.network != source.network, "another network under the same name"


@pytest.mark.parametrize(
    "change",
    [
        {"weights": Weights("random", seed=1)},
        {"fit": "resize"},
        {"equalisation": Equalisation(0, 75)},
        {"equalisation": Equalisation(96)},
        {"mirrored": True},
        {"engine_name": "onnxruntime"},
        {"engine_name": "tensorflow_bf16"},
        {"architecture": architecture_named("mobilenetv2")},
        {"architecture": replace(architecture_named("mobilenetv3_small"), preprocessing="unit")},
    ],
)
def test_the_key_holds_all_that_features_depend_on(
    source: BackboneSource, rows: pd.DataFrame, change: dict[str, object]
) -> None:
    digests = list(rows["digest"])
    if "weights" in change:
        row = architecture_named("mobilenetv3_small")
        change = {"backbone": open_backbone(row, SIZE, change["weights"])}
    elif "architecture" in change:
        change = {"backbone": replace(source.backbone, **change)}
    assert replace(source, **change).folder(digests) != source.folder(digests)
    assert source.folder(digests[::-1]) != source.folder(digests)
    assert replace(source, batch_size=3).folder(digests) == source.folder(digests)


def test_features_of_no_two_engines_share_a_key(source: BackboneSource) -> None:
    assert len({replace(source, engine_name=name).network for name in ENGINES}) == len(ENGINES)


def test_what_is_scored_never_passes_in_a_lower_precision(source: BackboneSource) -> None:
    lower = replace(source, engine_name="tensorflow_bf16").for_scoring()
    assert lower.network == source.network
    for name in ("tensorflow", "onnxruntime"):
        own = replace(source, engine_name=name)
        assert own.for_scoring() is own


def test_statistics_are_those_of_numpy() -> None:
    maps = keras.Input((5, 6, 3))
    values = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype(np.float32)
    model = keras.Model(maps, [maps * 1.0, maps * 1.0])
    pooled = feature_model(model)(values)["pooled"].numpy().astype(np.float64)
    scale = pooled[:, 6:9] / values.max(axis=(1, 2))
    assert np.allclose(scale, scale[0, 0], rtol=2e-3)
    assert np.log2(round(float(scale[0, 0]), 6)) % 1 == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(
        pooled[:, :3] / scale[0, 0], values.mean(axis=(1, 2)), rtol=2e-3, atol=1e-3
    )
    np.testing.assert_allclose(pooled[:, 3:6] / scale[0, 0], values.std(axis=(1, 2)), rtol=4e-3)


def test_columns_name_each_statistic_of_each_block() -> None:
    layout = FeatureLayout(channels=(2, 3), max2x2_width=0, tokens=(False, False))
    every = layout.columns(True, STATISTICS)
    covered = [number for part in every for number in range(part.start, part.stop)]
    assert covered == list(range(layout.pooled_width))
    assert layout.columns(False, ["std"]) == [slice(9, 12)]


def test_max2x2_keeps_positions_and_odd_edges() -> None:
    last = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    assert pool_last_2x2(last, 1.0).numpy().tolist() == [[4.0, 5.0, 7.0, 8.0]]


def test_even_a_random_deep_network_keeps_every_block_within_float16() -> None:
    row = architecture_named("mobilenetv3_large")
    backbone = build_backbone(row, SIZE, Weights("random"))
    picture = np.random.default_rng(1).integers(0, 256, (2, SIZE, SIZE, 3)).astype(np.float32)
    pooled = feature_model(backbone)(picture)["pooled"].numpy().astype(np.float32)
    deviations = [pooled[:, c].max() for c in layout_of(backbone.outputs).columns(True, ["std"])]
    assert min(deviations) > 1e-2
    assert max(deviations) < 1e3


@pytest.mark.slow
def test_reference_figures_of_real_faces(progress: RecordedProgress) -> None:
    """Logistic regression on frozen ImageNet features: 0.84 last block, 0.89 all blocks."""
    row = architecture_named("mobilenetv3_small")
    weights = resolve_weights(
        str(shared("weights/mobilenetv3_small_imagenet_notop.weights.h5")), row, 0
    )
    faces = index_of(shared("data/140k_subset"), progress)
    backbone = open_backbone(row, 224, weights)
    source = BackboneSource(row.key, "crop", row.cpu_batch, backbone=backbone)
    layout = layout_of(source.backbone.model.outputs)
    arrays, labels = {}, {}
    for split in ("train", "test"):
        part = faces.split(split).assign(path=lambda r: faces.files(r))
        arrays[split] = features_of(source, part, progress).arrays["pooled"]
        labels[split] = part["label"]
    for all_blocks, statistics, low, high in (
        (False, ["avg"], 0.80, 0.88),
        (True, ["avg", "std"], 0.85, 0.93),
    ):
        columns = np.concatenate(
            [np.arange(c.start, c.stop) for c in layout.columns(all_blocks, statistics)]
        )
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        model.fit(arrays["train"][:, columns].astype(np.float64), labels["train"])
        scores = model.decision_function(arrays["test"][:, columns].astype(np.float64))
        assert low < roc_auc_score(labels["test"], scores) < high
