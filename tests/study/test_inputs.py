"""What trained layers read each epoch is kept where it fits, made again where not, and said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fakeface_bench.config import StudyConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.pictures import DecodedOnDemand
from fakeface_bench.features import source
from fakeface_bench.features.samples import SplitArrays
from fakeface_bench.resolve import make_plan
from fakeface_bench.study import inputs as module
from fakeface_bench.study.inputs import GB, Inputs, cache_budget, prepare_inputs
from fakeface_bench.study.setup import prepare_setup
from fakeface_bench.training.networks import FrozenNetwork, TunedNetwork
from tests.backbones.own_files import branched, saved
from tests.conftest import RecordedProgress, load_image

SIZE = 64
CONFIG = StudyConfig(weights="random", image_size=SIZE, fine_tune="last_block", limit=5)
#: Below what a single picture needs.
NOTHING = 1e-9

Prepare = Callable[..., tuple[Inputs, ImageIndex]]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small network: its graph is made in a moment."""
    return str(saved(branched(side=SIZE), tmp_path_factory.mktemp("network") / "branched.keras"))


@pytest.fixture
def prepare(
    tiny_faces: Path, network: str, fresh_cache: Path, progress: RecordedProgress
) -> Prepare:
    def of(**changes: object) -> tuple[Inputs, ImageIndex]:
        asked = {"data": str(tiny_faces), "model": network} | changes
        plan = make_plan(replace(CONFIG, **asked))
        index = prepare_setup(plan, RecordedProgress()).index
        return prepare_inputs(plan, index, progress), index

    return of


def read(inputs: Inputs, index: ImageIndex, split: str) -> SplitArrays:
    return inputs.load(split, index.split(split))


def test_a_frozen_backbone_reads_features(prepare: Prepare) -> None:
    inputs, index = prepare(fine_tune="frozen")
    assert isinstance(inputs.network, FrozenNetwork)
    assert set(read(inputs, index, "test").arrays) == {"pooled", "max2x2", "residual"}


def test_a_picture_s_time_is_known_from_an_extraction_large_enough_else_measured_once(
    prepare: Prepare, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, index = prepare(fine_tune="frozen")
    read(inputs, index, "train")  # of ten pictures
    measured = inputs.speed()
    again = inputs.speed()
    assert measured.seconds_per_image == again.seconds_per_image > 0
    assert measured.amortised_seconds == 0
    assert again.amortised_seconds > 256 * measured.seconds_per_image * 0.99
    monkeypatch.setattr(source, "SAMPLE_IMAGES", 10)
    known = inputs.speed()
    assert known.amortised_seconds == 0
    assert known.seconds_per_image not in (0, measured.seconds_per_image)
    assert len(list((fresh_cache / "speeds").glob("*/facts.json"))) == 1


def test_pixels_decoded_anew_each_epoch_take_no_further_time(prepare: Prepare) -> None:
    kept, _ = prepare(model="simple_cnn", fine_tune="frozen")
    streamed, _ = prepare(model="simple_cnn", fine_tune="frozen", cache_gb=NOTHING)
    assert streamed.speed().seconds_per_image == 0 < kept.speed().seconds_per_image


def test_the_map_at_the_cut_is_kept_mirrored_too_for_training(
    prepare: Prepare, progress: RecordedProgress
) -> None:
    inputs, index = prepare()
    assert inputs.description == "the map after added (16×16×16), 0.00 GB, cached"
    train, valid = read(inputs, index, "train"), read(inputs, index, "valid")
    assert train.arrays["boundary"].shape == (10, 16 * 16 * 16)
    assert train.arrays["boundary"].dtype == np.float16
    assert train.mirrored.keys() == train.arrays.keys()
    assert (train.mirrored["boundary"] != train.arrays["boundary"]).any()
    assert valid.mirrored == {}
    assert [images for _, images in progress.stages] == [10, 10, 10]
    again = read(prepare()[0], index, "train")
    for now, made in ((train, True), (again, False)):
        charges = list(now.charges.values())
        assert [charge.images for charge in charges] == [10, 10]
        assert [charge.images_made for charge in charges] == [10 * made] * 2
        assert all((charge.amortised_seconds == 0) == made for charge in charges)


def test_nothing_is_mirrored_where_pictures_stay_as_they_are(prepare: Prepare) -> None:
    inputs, index = prepare(augment="none")
    assert read(inputs, index, "train").mirrored == {}


def test_what_does_not_fit_streams_and_says_so(
    prepare: Prepare, progress: RecordedProgress
) -> None:
    inputs, index = prepare(cache_gb=NOTHING)
    assert "decoded again each epoch" in inputs.description
    assert any("is more than cache_gb: it is computed again" in line for line in progress.lines)
    assert isinstance(inputs.network, TunedNetwork)
    assert inputs.network.image_size == SIZE
    assert not inputs.network.crops
    train = read(inputs, index, "train")
    assert isinstance(train.arrays["images"], DecodedOnDemand)
    assert {"pooled", "max2x2"} <= train.arrays.keys()


def test_what_is_cached_already_is_used_whatever_the_budget(prepare: Prepare) -> None:
    inputs, index = prepare()
    for split in ("train", "valid", "test"):
        read(inputs, index, split)
    assert prepare(cache_gb=NOTHING)[0].description.endswith("cached")


@pytest.mark.parametrize(("cache_gb", "kept"), [(0, True), (NOTHING, False)])
def test_all_layers_read_pixels_with_room_for_crops(
    prepare: Prepare, cache_gb: float, kept: bool
) -> None:
    inputs, index = prepare(fine_tune="all", weights="auto", cache_gb=cache_gb)
    assert inputs.description.startswith("pixels, 0.00 GB")
    assert inputs.description.endswith("cached" if kept else "decoded again each epoch")
    train, test = read(inputs, index, "train"), read(inputs, index, "test")
    assert train.arrays["images"].shape == (10, 74, 74, 3)
    assert test.arrays["images"].shape == (10, SIZE, SIZE, 3)
    assert "pooled" not in test.arrays, "test is scored on pixels alone"
    files = index.files(index.split("test"))
    expected = np.stack([load_image(path, SIZE, "crop") for path in files])
    np.testing.assert_array_equal(test.arrays["images"][np.arange(10)], expected)


def test_a_picture_scaled_whole_has_no_room_around_it(prepare: Prepare) -> None:
    inputs, index = prepare(fine_tune="all", weights="auto", fit="resize")
    assert read(inputs, index, "train").arrays["images"].shape == (10, SIZE, SIZE, 3)


def test_what_a_killed_study_has_made_is_not_asked_for_again(prepare: Prepare) -> None:
    """Train and valid are there, test is not yet: what is missing fits where all would not."""
    inputs, index = prepare()
    for split in ("train", "valid"):
        read(inputs, index, split)
    of_test = 10 * 16 * 16 * 16 * 2 / GB
    assert prepare(cache_gb=1.01 * of_test)[0].description.endswith("cached")
    assert "again" in prepare(cache_gb=0.99 * of_test)[0].description


def test_from_scratch_no_features_are_extracted(prepare: Prepare) -> None:
    inputs, index = prepare(fine_tune="all", weights="random")
    assert inputs.network.stages == ("scratch",)
    assert set(read(inputs, index, "train").arrays) == {"images", "spare"}


def test_the_budget_is_what_was_asked_for_else_a_share_of_the_free_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 8 * GB

    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: Usage)
    assert cache_budget(0.5, tmp_path) == 0.5 * GB
    assert cache_budget(0, tmp_path) == 2 * GB
    Usage.free = 400 * GB
    assert cache_budget(0, tmp_path) == 20 * GB
