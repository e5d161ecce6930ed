"""Which files a study uses and where: no picture on both sides of a split, whatever its bytes."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.decode import decode_bytes
from fakeface_bench.data.index import build_index
from fakeface_bench.data.selection import (
    BOTH_LABELS,
    HELD_OUT_COPY,
    UNREADABLE,
    Loss,
    drawn_splits,
    loses_unevenly,
    losses,
    manipulated,
    report_copies,
    select_files,
    twins_in_training,
)
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import Survey, survey_sources
from tests.conftest import RecordedProgress, shared

LABELS = {"real": REAL, "fake": FAKE}


def pattern(seed: int) -> Image.Image:
    """Return a picture that looks like no other, with something to see at every scale."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    return coarse.resize((72, 72), Image.Resampling.BICUBIC)


def write(path: Path, image: Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def fill(root: Path, images: int, splits: tuple[str, ...] = ("",), first: int = 0) -> Path:
    """Write different pictures into each class folder, numbered through from `first` on."""
    for split in splits:
        for name in LABELS:
            for number in range(images):
                write(root / split / name / f"{number}.png", pattern(first))
                first += 1
    return root


def near_copy(original: Path, path: Path, kind: str = "encoded") -> Path:
    """Save a picture again, as a user's program would."""
    image = decode_bytes(original)
    changed = {
        "encoded": image,
        "smaller": image.resize((50, 50), Image.Resampling.BICUBIC),
        "brighter": ImageEnhance.Brightness(image).enhance(1.1),
        "mirrored": ImageOps.mirror(image),
    }[kind]
    return write(path, changed, quality=70)


KINDS = ("encoded", "smaller", "brighter", "mirrored")


def survey_of(*folders: Path) -> Survey:
    return survey_sources([Source(f.name, f) for f in folders], RecordedProgress())


def selected(*folders: Path, seed: int = 0) -> pd.DataFrame:
    """Return the files by `source/path`."""
    files = select_files(survey_of(*folders), seed)
    return files.set_index(files["source"] + "/" + files["path"])


def left_out(files: pd.DataFrame) -> dict[str, str]:
    return {str(path): str(why) for path, why in files["left_out"].items() if why}


def splits_of(files: pd.DataFrame) -> dict[str, str]:
    return {str(path): str(split) for path, split in files["split"].items()}


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return fill(tmp_path / "official", 4, SPLITS)


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    return fill(tmp_path / "flat", 12, first=1000)


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("leaving", "staying"), [("train", "test"), ("valid", "test"), ("train", "valid")]
)
def test_a_near_copy_of_a_held_out_image_leaves_the_earlier_split(
    official: Path, kind: str, leaving: str, staying: str
) -> None:
    near_copy(official / staying / "fake" / "0.png", official / leaving / "fake" / "c.jpg", kind)
    files = selected(official)
    assert left_out(files) == {f"official/{leaving}/fake/c.jpg": HELD_OUT_COPY}
    assert len(files) == 25


@pytest.mark.usefixtures("fresh_cache")
def test_near_copies_in_all_three_splits_stay_in_test_alone(official: Path) -> None:
    for number, split in enumerate(("train", "valid", "valid", "train")):
        path = official / split / "real" / f"c{number}.jpg"
        near_copy(official / "test" / "real" / "1.png", path, KINDS[number])
    assert left_out(selected(official)) == {
        f"official/{split}/real/c{number}.jpg": HELD_OUT_COPY
        for number, split in enumerate(("train", "valid", "valid", "train"))
    }


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("split", SPLITS)
def test_near_copies_within_a_split_stay_and_share_a_group(official: Path, split: str) -> None:
    for kind in KINDS:
        folder = official / split / "fake"
        near_copy(folder / "0.png", folder / f"{kind}.jpg", kind)
    files = selected(official)
    assert left_out(files) == {}
    assert sorted(files.groupby("group").size())[-2:] == [1, 5]


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("kind", ["same bytes", "same pixels"])
@pytest.mark.parametrize("other", SPLITS)
def test_a_picture_in_both_classes_is_left_out_of_both(
    official: Path, kind: str, other: str
) -> None:
    original = official / "train" / "real" / "2.png"
    copy = official / other / "fake" / "c.png"
    if kind == "same bytes":
        shutil.copy(original, copy)
    else:
        write(copy, decode_bytes(original), compress_level=1)
        assert copy.read_bytes() != original.read_bytes()
    assert left_out(selected(official)) == {
        "official/train/real/2.png": BOTH_LABELS,
        f"official/{other}/fake/c.png": BOTH_LABELS,
    }


@pytest.mark.usefixtures("fresh_cache")
def test_pixels_that_show_nothing_are_in_both_classes_too(flat: Path) -> None:
    """They have no signature, so nothing else pairs them."""
    for number, name in enumerate(LABELS):
        write(flat / name / "b.png", Image.new("RGB", (40, 40)), compress_level=9 * number)
    assert left_out(selected(flat)) == dict.fromkeys(
        ("flat/real/b.png", "flat/fake/b.png"), BOTH_LABELS
    )


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_manipulation_and_its_original_are_both_used_in_one_split(
    flat: Path, kind: str, seed: int
) -> None:
    for number in range(6):
        near_copy(flat / "real" / f"{number}.png", flat / "fake" / f"swap{number}.jpg", kind)
    files = selected(flat, seed=seed)
    assert left_out(files) == {}
    for number in range(6):
        pair = files.loc[[f"flat/real/{number}.png", f"flat/fake/swap{number}.jpg"]]
        assert pair["split"].nunique() == pair["group"].nunique() == 1
    assert manipulated(files).sum() == 12


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(("original", "swap"), [("train", "test"), ("test", "train")])
def test_of_a_manipulation_and_its_original_in_two_official_splits_the_earlier_leaves(
    official: Path, original: str, swap: str
) -> None:
    near_copy(official / original / "real" / "0.png", official / swap / "fake" / "swap.jpg")
    gone = "train/real/0.png" if original == "train" else "train/fake/swap.jpg"
    assert left_out(selected(official)) == {f"official/{gone}": HELD_OUT_COPY}


@pytest.mark.usefixtures("fresh_cache")
def test_all_copies_of_a_picture_in_both_classes_are_left_out(flat: Path) -> None:
    original = flat / "real" / "3.png"
    shutil.copy(original, flat / "real" / "same.png")
    shutil.copy(original, flat / "fake" / "same.png")
    near_copy(original, flat / "real" / "near.jpg")
    assert left_out(selected(flat)) == dict.fromkeys(
        (f"flat/{n}" for n in ("real/3.png", "real/same.png", "fake/same.png", "real/near.jpg")),
        BOTH_LABELS,
    )


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("seed", range(4))
def test_near_copies_are_never_divided_by_the_projects_own_split(flat: Path, seed: int) -> None:
    for number in range(8):
        for kind in KINDS:
            path = flat / "real" / f"{kind}{number}.jpg"
            near_copy(flat / "real" / f"{number}.png", path, kind)
    files = selected(flat, seed=seed)
    assert left_out(files) == {}
    assert (files.groupby("group")["split"].nunique() == 1).all()
    assert (files.groupby("group").size() == 5).sum() == 8


@pytest.mark.usefixtures("fresh_cache")
def test_unreadable_files_are_neither_split_nor_counted(flat: Path) -> None:
    """They share their bytes, yet are no copies of one another, and of no class."""
    plain = selected(flat)
    for name in LABELS:
        for number in range(3):
            (flat / name / f"empty{number}.jpg").touch()
    (flat / "real" / "gone.jpg").symlink_to("nowhere.jpg")
    (flat / "fake" / "gone.jpg").symlink_to("nowhere.jpg")
    files = selected(flat)
    broken = files[files["error"] != ""]
    assert len(broken) == 8
    assert set(broken["left_out"]) == {UNREADABLE}
    assert set(broken["split"]) == {""}
    assert set(left_out(files)) == set(broken.index)
    rest = files[files["error"] == ""]
    assert splits_of(rest) == splits_of(plain)


@pytest.mark.usefixtures("fresh_cache")
def test_unreadable_files_of_an_official_split_drive_nothing_out(official: Path) -> None:
    for split in SPLITS:
        (official / split / "real" / "empty.jpg").touch()
        (official / split / "fake" / "empty.jpg").touch()
    files = selected(official)
    assert set(left_out(files).values()) == {UNREADABLE}
    assert len(left_out(files)) == 6


@pytest.mark.usefixtures("fresh_cache")
def test_blank_images_are_copies_of_one_another_by_their_bytes_alone(flat: Path) -> None:
    for number, name in enumerate(("real", "real", "fake")):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(flat / name / f"blank{number}.png")
    assert left_out(selected(flat)) == {}
    shutil.copy(flat / "fake" / "blank2.png", flat / "real" / "blank2.png")
    assert set(left_out(selected(flat))) == {"flat/fake/blank2.png", "flat/real/blank2.png"}


@pytest.mark.usefixtures("fresh_cache")
def test_two_sources_that_share_nothing_are_each_split_as_alone(flat: Path, tmp_path: Path) -> None:
    other = fill(tmp_path / "another", 20, first=2000)
    together = selected(flat, other, seed=3)
    assert splits_of(together) == splits_of(selected(flat, seed=3)) | splits_of(
        selected(other, seed=3)
    )
    for source in ("flat", "another"):
        own = together[together["source"] == source]
        assert own.groupby(["split", "label"]).ngroups == 6


@pytest.mark.usefixtures("fresh_cache")
def test_an_official_split_is_kept_beside_a_source_without_one(flat: Path, official: Path) -> None:
    files = selected(official, flat)
    assert splits_of(files[files["source"] == "flat"]) == splits_of(selected(flat))
    kept = files[files["source"] == "official"]
    assert [path.split("/")[0] for path in kept["path"]] == kept["split"].tolist()
    assert left_out(files) == {}


@pytest.mark.usefixtures("fresh_cache")
def test_a_near_copy_in_another_source_leaves_train(flat: Path, official: Path) -> None:
    """Wherever the project's own split puts the other."""
    for number in range(12):
        near_copy(flat / "fake" / f"{number}.png", official / "train" / "fake" / f"c{number}.jpg")
    files = selected(official, flat)
    own = splits_of(files[files["source"] == "flat"])
    assert set(own.values()) == set(SPLITS)
    assert left_out(files) == {
        f"official/train/fake/c{number}.jpg": HELD_OUT_COPY
        for number in range(12)
        if own[f"flat/fake/{number}.png"] != "train"
    }


@pytest.mark.usefixtures("fresh_cache")
def test_a_copy_of_another_sources_test_image_is_put_into_test_as_well(
    flat: Path, official: Path
) -> None:
    for number in range(4):
        shutil.copy(official / "test" / "real" / f"{number}.png", flat / "real" / f"c{number}.png")
    files = selected(official, flat)
    copies = files.loc[[f"flat/real/c{number}.png" for number in range(4)]]
    assert set(copies["split"]) == {"test"}
    assert left_out(files) == {}


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_sources_does_not_matter(
    flat: Path, official: Path, tmp_path: Path, seed: int
) -> None:
    other = fill(tmp_path / "another", 12, first=2000)
    for number in range(6):
        near_copy(flat / "real" / f"{number}.png", other / "real" / f"c{number}.jpg")
        shutil.copy(other / "fake" / f"{number}.png", flat / "fake" / f"c{number}.png")
        near_copy(flat / "real" / f"{number}.png", official / "train" / "real" / f"c{number}.jpg")
    orders = [(flat, official, other), (other, flat, official), (official, other, flat)]
    first, *others = (selected(*order, seed=seed).sort_index() for order in orders)
    columns = ["split", "group", "left_out", "label"]
    for files in others:
        pd.testing.assert_frame_equal(files[columns], first[columns])


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("seed", range(3))
def test_copies_shared_by_two_sources_without_a_split_are_in_one_split(
    flat: Path, tmp_path: Path, seed: int
) -> None:
    other = fill(tmp_path / "another", 12, first=2000)
    for number in range(8):
        near_copy(flat / "real" / f"{number}.png", other / "real" / f"c{number}.jpg")
    files = selected(flat, other, seed=seed)
    assert (files.groupby("group")["split"].nunique() == 1).all()
    assert (files.groupby("group").size() == 2).sum() == 8
    assert left_out(files) == {}


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("further", [0, 1])
def test_a_source_that_holds_hardly_more_than_another_can_be_joined_with_it(
    flat: Path, tmp_path: Path, further: int
) -> None:
    """Two versions of one dataset: each is large enough to be split by itself."""
    shutil.copytree(flat, tmp_path / "newer")
    for number in range(further):
        write(tmp_path / "newer" / "fake" / f"new{number}.png", pattern(5000 + number))
    assert len(selected(tmp_path / "newer")) == 24 + further
    files = selected(flat, tmp_path / "newer")
    assert len(files) == 48 + further
    assert set(files["split"]) == set(SPLITS)
    assert (files.groupby("group")["split"].nunique() == 1).all()


@pytest.mark.usefixtures("fresh_cache")
def test_two_sources_with_the_same_reals_and_other_fakes_can_be_joined(
    flat: Path, tmp_path: Path
) -> None:
    """As of two generators that were each shown beside the same photographs."""
    other = fill(tmp_path / "another", 12, first=2000)
    shutil.rmtree(other / "real")
    shutil.copytree(flat / "real", other / "real")
    files = selected(flat, other)
    assert left_out(files) == {}
    assert (files.groupby("group")["split"].nunique() == 1).all()
    for source in ("flat", "another"):
        own = files[files["source"] == source]
        assert own.groupby(["split", "label"]).ngroups == 6


@pytest.mark.usefixtures("fresh_cache")
def test_a_source_too_small_to_be_split_is_left_unsplit_for_an_audit_to_show(
    flat: Path, tmp_path: Path
) -> None:
    small = fill(tmp_path / "small", 2, first=3000)
    files = selected(flat, small)
    own = files[files["source"] == "small"]
    assert set(own["left_out"]) == set(own["split"]) == {""}
    assert set(files.loc[files["source"] == "flat", "split"]) == set(SPLITS)


def table(
    rows: Iterable[tuple[str, int, str | None]], source: str = "one", folder: str = "/one"
) -> tuple[Source, pd.DataFrame]:
    """Return a source and its files: of each `digest, label, split` one."""
    frame = pd.DataFrame(rows, columns=["digest", "label", "split"])
    frame = frame.astype({"split": "str"}).assign(error="", source=source)
    frame = frame.assign(pixels=frame["digest"], videos="")
    return Source(source, Path(folder)), frame.assign(path=frame["digest"] + ".jpg")


#: Pairs of one face among those of the 1,100 generated faces at hand: see `test_survey`.
MEASURED_TWINS, MEASURED_PAIRS = 8, 1100 * 1100


def survey_with(
    tables: Iterable[tuple[Source, pd.DataFrame]],
    pairs: Iterable[tuple[str, str]],
    detail: float = float("nan"),
) -> Survey:
    """Return a survey in which these contents look alike; closer, as `detail` says."""
    tables = list(tables)
    alike = pd.DataFrame(pairs, columns=["first", "second"], dtype="str")
    return Survey(
        sources=tuple(source for source, _ in tables),
        files=pd.concat([frame for _, frame in tables], ignore_index=True),
        alike=alike.assign(distance=9, mirrored=False, near=True, detail=detail),
        skipped=pd.DataFrame(columns=["source", "path", "reason"], dtype="str"),
    )


def people(images: int) -> list[tuple[str, int, str | None]]:
    """Return as many real ones as fakes: `r00`, `r01`, ..., `f00`, ..."""
    return [(f"{name[0]}{n:02}", LABELS[name], None) for name in LABELS for n in range(images)]


def by_digest(survey: Survey, seed: int = 0) -> Mapping[str, Mapping[str, Any]]:
    return select_files(survey, seed).set_index("digest").to_dict("index")


@pytest.mark.parametrize("seed", range(20))
def test_a_chain_of_near_copies_is_one_group_and_never_divided(seed: int) -> None:
    """Its ends do not look alike."""
    chains = [
        [f"{name}{number:02}" for number in order]
        for name in "rf"
        for order in ([7, 3, 9, 0], [12, 11, 10, 1, 2], [20, 21])
    ]
    links = [tuple(sorted(pair)) for chain in chains for pair in pairwise(chain)]
    files = by_digest(survey_with([table(people(30))], links), seed)
    for chain in chains:
        assert {files[name]["group"] for name in chain} == {min(chain)}
        assert len({files[name]["split"] for name in chain}) == 1
    in_chains = {name for chain in chains for name in chain}
    assert all(row["group"] == name for name, row in files.items() if name not in in_chains)
    assert {row["left_out"] for row in files.values()} == {""}


def test_the_seed_moves_groups_as_wholes() -> None:
    links = [("r00", "r01"), ("r01", "r02")]
    survey = survey_with([table(people(20))], links)
    placed = [by_digest(survey, seed) for seed in range(30)]
    assert {files["r00"]["split"] for files in placed} == set(SPLITS)
    for files in placed:
        assert files["r00"]["split"] == files["r01"]["split"] == files["r02"]["split"]


def test_of_a_conflict_the_whole_group_is_left_out() -> None:
    """`x` is found with both labels, and `r02` looks like it: nobody knows what it shows."""
    rows = [*people(20), ("x", REAL, None), ("x", FAKE, None)]
    files = select_files(survey_with([table(rows)], [("r02", "x")]), 0)
    gone = files[files["left_out"] == BOTH_LABELS]
    assert sorted(gone["digest"]) == ["r02", "x", "x"]
    assert set(gone["group"]) == {"r02"}
    assert set(gone["split"]) == {""}


def test_a_chain_that_leads_to_the_other_class_is_used_and_never_divided() -> None:
    links = [("f00", "r00"), ("f00", "f01"), ("r03", "r04"), ("f05", "f06"), ("f06", "f07")]
    for seed in range(10):
        files = select_files(survey_with([table(people(20))], links), seed)
        assert set(files["left_out"]) == {""}
        assert (files.groupby("group")["split"].nunique() == 1).all()
        groups = files.groupby("group")["digest"].apply(sorted).to_dict()
        assert groups["f00"] == ["f00", "f01", "r00"]
        assert groups["r03"] == ["r03", "r04"]
        assert sorted(files.loc[manipulated(files), "digest"]) == ["f00", "f01", "r00"]


def test_a_dataset_of_swaps_alone_is_split_near_the_fractions() -> None:
    links = [(f"f{number:02}", f"r{number:02}") for number in range(40)]
    files = select_files(survey_with([table(people(40))], links), 0)
    assert set(files["left_out"]) == {""}
    counts = files.groupby(["split", "label"]).size().unstack()
    assert counts.loc[list(SPLITS)].to_numpy().tolist() == [[28, 28], [6, 6], [6, 6]]


def test_a_manipulation_in_another_source_is_put_where_its_original_is() -> None:
    one = table(people(20), "one")
    two = table([(f"z{name}", label, None) for name, label, _ in people(20)], "two", "/two")
    links = [("r00", "zf00"), ("r01", "zf01")]
    for seed in range(6):
        files = by_digest(survey_with([one, two], links), seed)
        assert files["r00"]["split"] == files["zf00"]["split"] != ""
        assert files["r01"]["split"] == files["zf01"]["split"] != ""


def official_people(**sizes: int) -> list[tuple[str, int, str | None]]:
    """Return so many real and as many fake ones of each official split."""
    return [
        (f"{split[:2]}{name[0]}{number:03}", LABELS[name], split)
        for split, images in sizes.items()
        for name in LABELS
        for number in range(images)
    ]


@pytest.mark.parametrize(
    ("sizes", "expected", "donors"),
    [
        ({"train": 85, "test": 20}, (70, 15, 20), {"valid": "train"}),
        ({"train": 50, "valid": 20}, (50, 10, 10), {"test": "valid"}),
        ({"train": 100}, (70, 15, 15), {"valid": "train", "test": "train"}),
        ({"test": 100}, (70, 15, 15), {"train": "test", "valid": "test"}),
        ({"valid": 34, "test": 85}, (70, 34, 15), {"train": "test"}),
        ({"valid": 85, "test": 34}, (70, 15, 34), {"train": "valid"}),
    ],
)
def test_a_missing_official_split_is_drawn(
    sizes: dict[str, int], expected: tuple[int, int, int], donors: dict[str, str]
) -> None:
    survey = survey_with([table(official_people(**sizes))], [])
    files = select_files(survey, 0)
    counts = files.groupby(["split", "label"]).size().unstack().loc[list(SPLITS)]
    assert counts.to_numpy().tolist() == [[size, size] for size in expected]
    assert drawn_splits(files) == {"one": donors}
    assert set(files["left_out"]) == {""}
    again, other = select_files(survey, 0), select_files(survey, 1)
    assert again["split"].tolist() == files["split"].tolist() != other["split"].tolist()
    undrawn = files["place"].str.removeprefix("one/").isin(set(SPLITS) - set(donors.values()))
    assert (files["place"] == "one/" + files["split"])[undrawn].all()


def test_no_group_is_divided_where_a_missing_split_is_drawn() -> None:
    links = [(f"trr{n:03}", f"trr{n + 1:03}") for n in range(0, 40, 2)]
    links += [("trf000", "tef000"), ("trr050", "trf050")]
    survey = survey_with([table(official_people(train=85, test=20))], links)
    for seed in range(8):
        files = select_files(survey, seed)
        used = files[files["left_out"] == ""]
        assert (used.groupby("group")["split"].nunique() == 1).all()
        assert files.loc[files["left_out"] != "", "digest"].tolist() == ["trf000"]


def test_a_split_drawn_beside_a_source_with_all_of_them_leaks_nothing() -> None:
    one = table(official_people(train=60, test=10), "one")
    two = table(official_people(train=30, valid=10, test=10), "two", "/two")
    files = select_files(survey_with([one, two], []), 0)
    used = files[files["left_out"] == ""]
    assert (used.groupby("digest")["split"].nunique() == 1).all()
    assert drawn_splits(files) == {"one": {"valid": "train"}}


def test_sources_with_every_split_or_none_draw_nothing() -> None:
    whole = table(official_people(train=10, valid=5, test=5), "one")
    none = table([(f"z{name}", label, None) for name, label, _ in people(20)], "two", "/two")
    assert drawn_splits(select_files(survey_with([whole, none], []), 0)) == {}


def test_all_that_leads_to_a_held_out_image_leaves_an_official_split() -> None:
    """`b` looks like `a` and like `c`, which do not look alike."""
    rows = [("a", FAKE, "train"), ("b", FAKE, "train"), ("c", FAKE, "test"), ("d", REAL, "valid")]
    files = by_digest(survey_with([table(rows)], [("a", "b"), ("b", "c")]))
    assert {name: row["left_out"] for name, row in files.items()} == {
        "a": HELD_OUT_COPY,
        "b": HELD_OUT_COPY,
        "c": "",
        "d": "",
    }


#: What a closer look says of another picture that shows the same face.
TWIN = 0.85


def test_twins_stay_in_official_splits_and_are_known_there() -> None:
    rows = [("a", FAKE, "train"), ("b", FAKE, "test"), ("c", FAKE, "valid"), ("d", REAL, "test")]
    survey = survey_with([table(rows)], [("a", "b"), ("b", "c")], TWIN)
    files = select_files(survey, 0).set_index("digest")
    assert (files["left_out"] == "").all()
    assert files["group"].to_dict() == {name: name for name in "abcd"}
    assert files.loc[list("abc"), "kin"].nunique() == 1
    assert twins_in_training(files).to_dict() == dict(zip("abcd", (0, 1, 0, 0), strict=True))


@pytest.mark.parametrize("seed", range(10))
def test_no_split_of_the_project_divides_twins(seed: int) -> None:
    rows = people(40)
    pairs = [(f"f{number:02}", f"f{number + 1:02}") for number in range(0, 20, 2)]
    files = by_digest(survey_with([table(rows)], pairs, TWIN), seed)
    assert all(files[one]["split"] == files[other]["split"] for one, other in pairs)
    assert all(files[one]["group"] != files[other]["group"] for one, other in pairs)


def test_a_drawn_validation_split_takes_twins_along() -> None:
    rows = official_people(train=40, test=10)
    trained = [digest for digest, label, split in rows if split == "train" and label == FAKE]
    pairs = list(zip(trained[::2], trained[1::2], strict=False))
    files = by_digest(survey_with([table(rows)], pairs, TWIN))
    assert {row["split"] for row in files.values()} == {"train", "valid", "test"}
    assert all(files[one]["split"] == files[other]["split"] for one, other in pairs)


def test_what_looks_like_the_other_class_is_a_manipulation_however_closely_looked_at() -> None:
    rows = [("a", REAL, "train"), ("b", FAKE, "test"), ("c", REAL, "test"), ("d", FAKE, "train")]
    files = by_digest(survey_with([table(rows)], [("a", "b")], TWIN))
    assert files["a"]["left_out"] == HELD_OUT_COPY
    assert files["a"]["group"] == files["b"]["group"]


def test_what_leaves_is_told_by_class_and_split() -> None:
    rows = [(f"t{n}", FAKE, "train") for n in range(40)]
    rows += [(f"r{n}", REAL, "train") for n in range(40)]
    rows += [("x", FAKE, "test"), ("y", REAL, "test"), ("v", FAKE, "valid"), ("w", REAL, "valid")]
    one = select_files(survey_with([table(rows)], [("t0", "x"), ("v", "x")]), 0)
    assert losses(one) == (Loss("train", FAKE, 1, 1 / 40), Loss("valid", FAKE, 1, 1.0))
    assert loses_unevenly(one)
    progress = RecordedProgress()
    report_copies(one, progress)
    assert progress.warnings == [
        "left out 2 train or valid images of which test (or valid) holds a copy: 1 train fake "
        "(2.5%), 1 valid fake (100.0%)"
    ]
    none = select_files(survey_with([table(rows)], [("v", "x")]), 0)
    assert not loses_unevenly(none), "of train nothing is lost"


def test_140000_signatures_with_twins_at_the_measured_rate() -> None:
    """As in 140k: 1.3 of 100,000 pairs of its 70,000 fakes are twins, some 32,000 in all.

    As copies they would cost train and valid many of their fakes and hardly a real image.
    """
    counts = {"train": 50_000, "valid": 10_000, "test": 10_000}
    rows = [
        (f"{name}{split}{number}", label, split)
        for split, count in counts.items()
        for label, name in ((REAL, "r"), (FAKE, "f"))
        for number in range(count)
    ]
    fakes = np.array([digest for digest, label, _ in rows if label == FAKE], dtype=object)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(fakes), size=(MEASURED_TWINS * len(fakes) ** 2 // MEASURED_PAIRS, 2))
    ends = fakes[np.sort(drawn[drawn[:, 0] != drawn[:, 1]], axis=1)]
    pairs = [(str(one), str(other)) for one, other in ends]
    assert len(pairs) > 30_000
    survey = survey_with([table(rows)], pairs, TWIN)
    files = select_files(survey, 0)
    assert (files["left_out"] == "").all()
    assert losses(files) == ()
    twins = files[twins_in_training(files)]
    assert (twins["label"] == FAKE).all()
    assert 0.3 < len(twins) / counts["test"] < 0.9
    as_copies = select_files(replace(survey, alike=survey.alike.assign(detail=1.0)), 0)
    lost = {(loss.split, loss.label): loss.share for loss in losses(as_copies)}
    assert lost["train", FAKE] > 0.3
    assert ("train", REAL) not in lost


def test_nothing_of_a_survey_is_changed() -> None:
    survey = survey_with([table(people(20))], [("f00", "r00"), ("r03", "r04")])
    before = survey.files.copy()
    select_files(survey, 0)
    pd.testing.assert_frame_equal(survey.files, before)


def test_two_official_splits_that_disagree_keep_the_later() -> None:
    one = table([("a", FAKE, "train"), ("b", FAKE, "valid"), ("c", FAKE, "test")], "one")
    two = table([("x", FAKE, "test"), ("b", FAKE, "train"), ("y", FAKE, "valid")], "two", "/two")
    files = select_files(survey_with([one, two], [("a", "x"), ("c", "y")]), 0)
    why = {(row.source, row.digest): row.left_out for row in files.itertuples()}
    assert {key for key, reason in why.items() if reason == HELD_OUT_COPY} == {
        ("one", "a"),
        ("two", "b"),
        ("two", "y"),
    }
    assert set(files["left_out"]) == {"", HELD_OUT_COPY}


def test_no_swap_among_faces_by_generator_is_left_out() -> None:
    """54 of these look like one of the other class: photographs, and swaps made of them."""
    files = select_files(survey_of(shared("data/generators_subset")), 0)
    assert len(files) == 950
    assert set(files["left_out"]) == {""}
    pairs = files[manipulated(files)]
    assert set(pairs["category"]) == {"ffhq", "inswapper"}
    assert len(pairs) == 54
    assert (pairs.groupby("group")["split"].nunique() == 1).all()


def test_real_faces_without_swaps_are_used_as_ever() -> None:
    """What a study uses of them is part of its name, and of every figure published on them."""
    survey = survey_of(shared("data/140k_subset"))
    index = build_index(survey, select_files(survey, 0), 0, RecordedProgress())
    digests = [index.digest, *map(index.split_digest, SPLITS)]
    assert [digest[:12] for digest in digests] == [
        "c4e19db55fe0",
        "821110ff01e8",
        "9cbe2d6611eb",
        "c4442c67072f",
    ]
