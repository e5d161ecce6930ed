"""How well classes are told apart without a pixel: planted shortcuts are found, and no others."""

import io
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import norm

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.evaluation import shortcut
from fakeface_bench.evaluation.shortcut import FACT_GROUPS, fact_high, shortcut_floor
from fakeface_bench.records.study import ShortcutFloor
from tests.conftest import RecordedProgress, shared

PER_CLASS = 60
#: Of what the same scores give in two ways of computing them.
ROUNDING = 1e-9

Look = Callable[[int, int], tuple[Image.Image, Mapping[str, Any]]]


def pattern(seed: int, side: int = 48) -> Image.Image:
    """Return a picture that looks like no other."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8))
    return coarse.resize((side, side), Image.Resampling.BICUBIC)


def padded(image: Image.Image, seed: int, **options: Any) -> bytes:
    """Encode a picture, and add bytes that no decoder reads until its size tells nothing."""
    buffer = io.BytesIO()
    image.save(buffer, **options)
    size = int(np.random.default_rng([9, seed]).integers(12_000, 16_000))
    assert buffer.tell() < size
    return buffer.getvalue().ljust(size, b"\0")


def write(root: Path, look: Look, per_class: int = PER_CLASS) -> pd.DataFrame:
    """Write a dataset whose pictures are saved as `look(label, number)` says, and select it."""
    for label, name in ((REAL, "real"), (FAKE, "fake")):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            image, options = look(label, number)
            content = padded(image, 1000 * label + number, **options)
            (root / name / f"{number:03}.jpg").write_bytes(content)
    return selected(root)


def selected(root: Path) -> pd.DataFrame:
    return select_files(survey_sources([Source(root.name, root)], RecordedProgress()), 0)


def measured(files: pd.DataFrame) -> ShortcutFloor:
    floor = shortcut_floor(files)
    assert floor is not None
    return floor


def unlike(label: int, number: int) -> Image.Image:
    return pattern(1000 * label + number)


def no_shortcut(label: int, number: int) -> tuple[Image.Image, Mapping[str, Any]]:
    """Save a picture of either class with one of six programs, whichever comes."""
    program = np.random.default_rng([7, label, number]).integers(6)
    options: dict[str, Any] = {"format": "JPEG", "quality": (70, 80, 90)[program % 3]}
    if program % 2:
        exif = Image.Exif()
        exif[0x010E] = "a description"
        options["exif"] = exif
    return unlike(label, number), options


def other_quality(label: int, number: int) -> tuple[Image.Image, Mapping[str, Any]]:
    return unlike(label, number), {"format": "JPEG", "quality": 75 if label == FAKE else 90}


def other_size(label: int, number: int) -> tuple[Image.Image, Mapping[str, Any]]:
    return pattern(1000 * label + number, 44 if label == FAKE else 48), {"format": "JPEG"}


def other_format(label: int, number: int) -> tuple[Image.Image, Mapping[str, Any]]:
    return unlike(label, number), {"format": "PNG" if label == FAKE else "JPEG"}


def exif_in_reals(label: int, number: int) -> tuple[Image.Image, Mapping[str, Any]]:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    return unlike(label, number), {"format": "JPEG", **({} if label == FAKE else {"exif": exif})}


def other_mode(label: int, number: int) -> tuple[Image.Image, Mapping[str, Any]]:
    image = unlike(label, number)
    return (image.convert("RGBA") if label == FAKE else image), {"format": "PNG"}


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(
    ("look", "telling"),
    [
        (other_quality, {"JPEG quantisation"}),
        (other_size, {"dimensions"}),
        (other_format, {"mode and format", "JPEG quantisation"}),
        (exif_in_reals, {"EXIF and ICC"}),
        (other_mode, {"mode and format"}),
    ],
)
def test_a_planted_shortcut_is_found_in_its_group_of_facts_alone(
    tmp_path: Path, look: Look, telling: set[str]
) -> None:
    floor = measured(write(tmp_path / "set", look))
    assert floor.roc_auc > 0.95
    assert floor.low_95 > 0.9
    assert floor.low_95 - ROUNDING <= floor.roc_auc <= floor.high_95 + ROUNDING
    assert floor.one_fact_high > 0.95 or look in (other_format, other_mode)
    assert floor.images == 2 * PER_CLASS
    assert list(floor.alone) == list(FACT_GROUPS)
    for group, roc_auc in floor.alone.items():
        assert (roc_auc > 0.95) if group in telling else (0.35 < roc_auc < 0.65), group


@pytest.mark.usefixtures("fresh_cache")
def test_the_size_of_a_file_is_a_shortcut(tmp_path: Path) -> None:
    files = write(tmp_path / "set", no_shortcut)
    files.loc[files["label"] == FAKE, "size"] += 5000
    floor = measured(files)
    assert floor.roc_auc > 0.95
    assert floor.alone["file size"] > 0.95
    assert max(value for name, value in floor.alone.items() if name != "file size") < 0.65


@pytest.mark.parametrize("seed", range(3))
def test_a_fact_of_few_images_may_give_more_away_than_a_classifier_learns_of_it(seed: int) -> None:
    """Its true ROC AUC is 0.6: the interval ends above that, whichever class has the higher."""
    labels = np.arange(400) % 2
    fact = np.random.default_rng(seed).normal(math.sqrt(2) * norm.ppf(0.6) * labels)
    assert 0.6 < fact_high(labels, fact) < 0.75
    assert fact_high(labels, -fact) == pytest.approx(fact_high(labels, fact))
    assert fact_high(labels, np.full(400, math.nan)) == 0.5
    unknown = np.where(labels == FAKE, math.nan, 90.0)
    assert fact_high(labels, unknown) == 1.0


@pytest.mark.usefixtures("fresh_cache")
def test_a_shortcut_in_half_of_the_fakes_is_half_a_shortcut(tmp_path: Path) -> None:
    def half(label: int, number: int) -> tuple[Image.Image, Mapping[str, Any]]:
        return other_quality(label if number % 2 else REAL, 1000 * label + number)

    assert 0.65 < measured(write(tmp_path / "set", half)).roc_auc < 0.85


@pytest.mark.usefixtures("fresh_cache")
def test_without_a_shortcut_the_interval_holds_one_half(tmp_path: Path) -> None:
    floor = measured(write(tmp_path / "set", no_shortcut))
    assert floor.low_95 < 0.5 < floor.high_95
    assert floor.low_95 <= floor.roc_auc <= floor.high_95
    assert max(floor.alone.values()) < 0.65


@pytest.mark.usefixtures("fresh_cache")
def test_where_no_fact_varies_the_floor_is_one_half(tmp_path: Path) -> None:
    files = write(tmp_path / "set", exif_in_reals).assign(size=7, exif=False)
    floor = measured(files)
    assert floor.roc_auc == floor.low_95 == floor.high_95 == floor.one_fact_high == 0.5
    assert set(floor.alone.values()) == {0.5}


@pytest.mark.usefixtures("fresh_cache")
def test_copies_of_few_files_are_not_known_by_heart(tmp_path: Path) -> None:
    """Thirty fakes of several copies each, whose sizes lie among those of the reals."""
    root = tmp_path / "set"
    files = write(root, no_shortcut)
    for number in range(30, PER_CLASS):
        shutil.copy(root / "fake" / f"{number % 30:03}.jpg", root / "fake" / f"{number:03}.jpg")
    files = selected(root)
    assert files["group"].nunique() == PER_CLASS + 30
    assert measured(files).roc_auc < 0.7
    by_heart = files.assign(kin=[f"{number}" for number in range(len(files))])
    assert measured(by_heart).low_95 > 0.6


def facts_table(reals: int, fakes: int) -> pd.DataFrame:
    """Return files of random sizes, of which nothing else tells."""
    images = reals + fakes
    rng = np.random.default_rng(0)
    names = [f"{number:04}" for number in range(images)]
    return pd.DataFrame(
        {
            **{
                "source": "set",
                "path": names,
                "digest": names,
                "group": names,
                "kin": names,
                "left_out": "",
            },
            "label": [REAL] * reals + [FAKE] * fakes,
            "size": rng.integers(1000, 2000, images),
            **{"width": 256, "height": 256, "mode": "RGB", "format": "JPEG", "frames": 1},
            **{"wrong_extension": False, "quantisation": "a", "quality": 9.0},
            **{"subsampling": "4:2:0", "progressive": False, "exif": False, "icc": False},
        }
    )


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(("reals", "fakes"), [(19, 100), (100, 19), (19, 19), (30, 0), (0, 0)])
def test_too_few_images_of_a_class_tell_nothing(reals: int, fakes: int) -> None:
    assert shortcut_floor(facts_table(reals, fakes)) is None


@pytest.mark.usefixtures("fresh_cache", "quick")
def test_twenty_images_of_a_class_are_enough() -> None:
    assert measured(facts_table(20, 20)).images == 40


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round of folds, where it is not the figure that counts."""
    monkeypatch.setattr(shortcut, "REPEATS", 1)


@pytest.mark.usefixtures("fresh_cache", "quick")
@pytest.mark.parametrize("why", ["unreadable", "both labels", "copy of a held-out image"])
def test_images_that_a_study_leaves_out_do_not_count(why: str) -> None:
    files = facts_table(25, 30)
    files.loc[[0, 1, 2, 30], "left_out"] = why
    files.loc[0, "kin"] = ""
    assert measured(files).images == 51
    files.loc[3:8, "left_out"] = why
    assert shortcut_floor(files) is None


def refuse(*_: object) -> NoReturn:
    raise AssertionError("measured again")


@pytest.mark.usefixtures("fresh_cache", "quick")
def test_an_unchanged_dataset_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    files = facts_table(30, 40)
    first = measured(files)
    monkeypatch.setattr(shortcut, "_measure", refuse)
    assert measured(files) == first
    mixed = files.sample(frac=1, random_state=1)
    assert measured(mixed.assign(path="elsewhere", source="renamed")) == first


@pytest.mark.usefixtures("fresh_cache", "quick")
@pytest.mark.parametrize(
    "change",
    [{"size": 8}, {"exif": True}, {"label": FAKE}, {"kin": "0001"}, {"left_out": "unreadable"}],
)
def test_a_changed_dataset_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, change: Mapping[str, Any]
) -> None:
    files = facts_table(30, 40)
    measured(files)
    for name, value in change.items():
        files.loc[5, name] = value
    monkeypatch.setattr(shortcut, "_measure", refuse)
    with pytest.raises(AssertionError, match="measured again"):
        shortcut_floor(files)


@pytest.mark.usefixtures("fresh_cache", "quick")
def test_the_order_of_files_does_not_move_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured twice, each time into an empty cache of its own."""
    files = facts_table(40, 40)
    files["quantisation"] = [f"{number % 7}" for number in range(80)]
    first = measured(files)
    monkeypatch.setattr(shortcut, "FLOOR_VERSION", -1)
    assert measured(files.iloc[::-1]) == first


@pytest.mark.usefixtures("fresh_cache", "quick")
def test_of_many_images_a_part_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut, "MOST_IMAGES", 100)
    files = facts_table(400, 400)
    files["digest"] = np.random.default_rng(0).permutation(files["digest"].to_numpy(object))
    floor = measured(files)
    assert floor.images == 100
    assert 0.3 < floor.roc_auc < 0.7


@pytest.mark.usefixtures("fresh_cache")
def test_more_categories_than_are_told_apart_still_measure() -> None:
    files = facts_table(150, 150)
    files["quantisation"] = [f"{number % 150:03}" for number in range(300)]
    floor = measured(files)
    assert math.isfinite(floor.roc_auc)
    assert 0.3 < floor.alone["JPEG quantisation"] < 0.7


def test_generated_faces_saved_as_the_reals_have_no_shortcut() -> None:
    floor = measured(selected(shared("data/140k_subset")))
    assert floor.images == 2192, "of two twins one"
    assert 0.45 < floor.low_95 < 0.5 < floor.roc_auc < floor.high_95 < 0.6


def test_the_floor_of_the_composed_faces_lies_within_its_interval() -> None:
    floor = measured(selected(shared("data/ciplab_subset")))
    assert floor.images == 250
    assert floor.low_95 < floor.roc_auc < floor.high_95
    assert floor.alone["dimensions"] == 0.5
