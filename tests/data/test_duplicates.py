"""Copies of a picture are found however they were saved, and nothing else is taken for one."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from fakeface_bench.data import duplicates
from fakeface_bench.data.decode import decode_bytes
from fakeface_bench.data.duplicates import (
    SAME_BITS,
    SIMILAR_BITS,
    SimilarPairs,
    cached_pairs,
    similar_pairs,
)
from fakeface_bench.data.facts import (
    HASH_BYTES,
    HASH_SIDE,
    SIGNATURE_BYTES,
    THUMBNAIL_SIDE,
    signature,
)
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.data.synthetic.dataset import write_synthetic
from fakeface_bench.support.progress import Advance
from tests.conftest import RecordedProgress

FACES = 150
BITS = HASH_SIDE**2

Signatures = npt.NDArray[np.uint8]
Change = Callable[[Image.Image], Image.Image]


def stacked(signatures: list[bytes]) -> Signatures:
    return np.frombuffer(b"".join(signatures), np.uint8).reshape(-1, SIGNATURE_BYTES)


def pairs_among(signatures: Signatures) -> SimilarPairs:
    return similar_pairs(signatures, RecordedProgress())


def rows_of(pairs: SimilarPairs) -> list[tuple[int, int, int, bool]]:
    """Return those that are one picture by their looks."""
    names = ("first", "second", "distance", "mirrored")
    columns = (getattr(pairs, name)[pairs.near].tolist() for name in names)
    return list(zip(*columns, strict=True))


def same_picture(first: int, second: int, mirrored: bool) -> float:
    """What a closer look says of a copy."""
    return 1.0


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Image.Image]:
    """Drawn faces of as many people."""
    folder = tmp_path_factory.mktemp("faces")
    write_synthetic(folder, FACES, seed=0)
    return [decode_bytes(path) for path in sorted(folder.rglob("*.jpg"))]


@pytest.fixture(scope="module")
def originals(faces: list[Image.Image]) -> Signatures:
    return stacked([signature(face) for face in faces])


def saved_as(kind: str, **options: Any) -> Change:
    def change(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return decode_bytes(buffer)

    return change


def scaled(factor: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        width, height = (round(factor * side) for side in image.size)
        return image.resize((width, height), Image.Resampling.BICUBIC)

    return change


def noisy(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    pixels = pixels + np.random.default_rng(0).normal(0, 10, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


CHANGES: dict[str, Change] = {
    "JPEG 90": saved_as("JPEG", quality=90),
    "JPEG 75": saved_as("JPEG", quality=75),
    "JPEG 50": saved_as("JPEG", quality=50),
    "JPEG 30": saved_as("JPEG", quality=30),
    "WebP 60": saved_as("WEBP", quality=60, method=0),
    "PNG": saved_as("PNG", compress_level=1),
    "half": scaled(1 / 2),
    "quarter": scaled(1 / 4),
    "double": scaled(2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "noise": noisy,
    "cropped left": lambda image: image.crop((1, 0, *image.size)),
    "cropped around": lambda image: ImageOps.crop(image, 1),
}


def test_different_faces_are_no_pairs(originals: Signatures) -> None:
    assert rows_of(pairs_among(originals)) == []


@pytest.mark.parametrize("mirrored", [False, True], ids=["upright", "mirrored"])
@pytest.mark.parametrize("change", CHANGES)
def test_each_changed_copy_is_found_and_nothing_else(
    faces: list[Image.Image], originals: Signatures, change: str, mirrored: bool
) -> None:
    turned = [ImageOps.mirror(face) if mirrored else face for face in faces]
    copies = stacked([signature(CHANGES[change](face)) for face in turned])
    for signatures in (np.concatenate([originals, copies]), np.concatenate([copies, originals])):
        found = rows_of(pairs_among(signatures))
        assert [(first, second) for first, second, _, _ in found] == [
            (number, number + FACES) for number in range(FACES)
        ]
        assert {description for _, _, _, description in found} == {mirrored}
        assert max(distance for _, _, distance, _ in found) <= SAME_BITS


def test_copies_changed_in_two_ways_pair_with_one_another_too(
    faces: list[Image.Image], originals: Signatures
) -> None:
    changed = [
        stacked([signature(CHANGES[name](face)) for face in faces[:20]])
        for name in ("JPEG 50", "half", "brighter")
    ]
    found = rows_of(pairs_among(np.concatenate([originals[:20], *changed])))
    assert len(found) == 20 * 6
    assert {first % 20 - second % 20 for first, second, _, _ in found} == {0}


@pytest.mark.slow
def test_the_embedded_faces_have_no_pair_at_all(
    tmp_path: Path, fresh_cache: Path, progress: Any
) -> None:
    write_synthetic(tmp_path / "set", 2000, 0)
    survey = survey_sources([Source("set", tmp_path / "set")], progress)
    assert len(survey.files) == 2000
    assert survey.files["signature"].str.len().min() == SIGNATURE_BYTES
    assert survey.alike.empty


def bits_of(signatures: Signatures, mirrored: bool) -> npt.NDArray[np.float32]:
    """Return the bits of one of the two hashes, shape (n, 16, 16)."""
    start = HASH_BYTES if mirrored else 0
    bits = np.unpackbits(signatures[:, start : start + HASH_BYTES], axis=1)
    return bits.reshape(-1, HASH_SIDE, HASH_SIDE).astype(np.float32)


def hamming(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return in how many bits each of `a` differs from each of `b`."""
    a, b = a.reshape(-1, BITS), b.reshape(-1, BITS)
    return a @ (1 - b).T + (1 - a) @ b.T


def correlation(ours: Signatures, theirs: Signatures, mirrored: bool) -> float:
    """Return how well the colours of two signatures agree."""
    shape = (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
    a, b = (row[2 * HASH_BYTES :].reshape(shape).astype(np.float64) for row in (ours, theirs))
    b = b[:, ::-1] if mirrored else b
    a, b = (x - x.mean(axis=(0, 1)) for x in (a, b))
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def by_brute_force(signatures: Signatures) -> list[tuple[int, int, int, bool]]:
    """Return what `similar_pairs` promises, from all distances at once."""
    found: dict[tuple[int, int], tuple[int, bool]] = {}
    hashes = bits_of(signatures, mirrored=False)
    for mirrored in (False, True):
        compared = bits_of(signatures, mirrored)
        distance = hamming(compared, hashes)
        for first, second in np.argwhere(np.triu(distance <= SIMILAR_BITS, k=1)).tolist():
            bits = int(distance[first, second])
            alike = correlation(signatures[first], signatures[second], mirrored) >= 0.95
            if bits <= SAME_BITS or alike:
                found.setdefault((first, second), (bits, mirrored))
    return [(*pair, *found[pair]) for pair in sorted(found)]


@dataclass
class Planted:
    """Random signatures, some of them made alike."""

    signatures: Signatures
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    @classmethod
    def random(cls, rows: int) -> "Planted":
        rng = np.random.default_rng(0)
        return cls(rng.integers(0, 256, (rows, SIGNATURE_BYTES), dtype=np.uint8))

    def copy(
        self, row: int, onto: int, bits: int, mirrored: bool = False, colours: bool = True
    ) -> None:
        """Make one row another's copy, that many bits apart, spread over all frequencies."""
        start = HASH_BYTES if mirrored else 0
        packed = self.signatures[row, start : start + HASH_BYTES]
        low = np.zeros((HASH_SIDE, HASH_SIDE), bool)
        low[:8, :8] = True  # a quarter of all, with as much of the difference
        flipped = np.zeros(BITS, np.uint8)
        for places, number in ((low, bits // 4), (~low, bits - bits // 4)):
            flipped[self.rng.choice(np.flatnonzero(places), number, replace=False)] = 1
        self.signatures[onto, :HASH_BYTES] = packed ^ np.packbits(flipped)
        if colours:
            shape = (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
            thumbnail = self.signatures[row, 2 * HASH_BYTES :].reshape(shape)
            thumbnail = thumbnail[:, ::-1] if mirrored else thumbnail
            self.signatures[onto, 2 * HASH_BYTES :] = thumbnail.ravel()


@pytest.mark.parametrize("rows", [0, 1, 2, 15, 16, 17, 4095, 4096, 4097])
def test_pairs_are_those_that_comparing_all_with_all_finds(rows: int) -> None:
    """Sizes about those of the blocks that are compared at once, pairs across their borders."""
    planted = Planted.random(rows)
    places = sorted({0, 1, 7, 14, 15, 16, 17, 31, 32, 2000, 4094, 4095, 4096, rows - 2, rows - 1})
    places = [place for place in places if 0 <= place < rows]
    for number, (row, onto) in enumerate(pairwise(places)):
        planted.copy(row, onto, bits=(0, 8, 20, 30)[number % 4], mirrored=number % 3 == 2)
    if rows > 2:
        planted.copy(0, rows - 1, bits=5)
    found = rows_of(pairs_among(planted.signatures))
    assert found == by_brute_force(planted.signatures)
    assert len(found) >= max(0, len(places) - 2)
    assert all(first < second for first, second, _, _ in found)
    assert len({(first, second) for first, second, _, _ in found}) == len(found)


def test_a_crowd_of_copies_is_connected_by_few_pairs() -> None:
    planted = Planted.random(400)
    for onto in range(1, 300):
        planted.copy(0, onto, bits=onto % 10, mirrored=onto % 2 == 1)
    found = rows_of(pairs_among(planted.signatures))
    assert set(found) <= set(by_brute_force(planted.signatures))
    assert len(found) <= 300 * (duplicates.MOST_PAIRS + 1)
    reached = {0}
    for first, second, _, _ in sorted(found):
        reached |= {first, second} if reached & {first, second} else set()
    assert reached == set(range(300))


def test_few_copies_are_paired_each_with_each() -> None:
    planted = Planted.random(60)
    for onto in range(1, 30):
        planted.copy(0, onto, bits=onto % 10, mirrored=False)
    found = rows_of(pairs_among(planted.signatures))
    assert len(found) == 30 * 29 // 2
    assert found == by_brute_force(planted.signatures)


def test_copies_that_only_a_hub_connects_are_all_kept() -> None:
    """Each of a hundred looks like the hub, and no two of them like one another."""
    rng = np.random.default_rng(0)
    signatures = rng.integers(0, 256, (101, SIGNATURE_BYTES), dtype=np.uint8)
    hub = np.unpackbits(signatures[0, :HASH_BYTES])
    for row in range(1, 101):
        flipped = hub.copy()
        flipped[rng.choice(len(hub), 18, replace=False)] ^= 1
        signatures[row, :HASH_BYTES] = np.packbits(flipped)
    found = rows_of(pairs_among(signatures))
    assert {second for first, second, _, _ in found if first == 0} == set(range(1, 101))
    assert len(found) < 150


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("bits", "colours", "same"),
    [
        (0, False, True),
        (SAME_BITS, False, True),
        (SAME_BITS + 1, False, False),
        (SAME_BITS + 1, True, True),
        (SIMILAR_BITS, True, True),
        (SIMILAR_BITS + 1, True, False),
    ],
)
def test_the_bounds_of_hash_and_colours(
    bits: int, colours: bool, same: bool, mirrored: bool
) -> None:
    planted = Planted.random(20)
    planted.copy(2, 18, bits, mirrored, colours)
    assert rows_of(pairs_among(planted.signatures)) == [(2, 18, bits, mirrored)] * same


def test_the_colours_of_a_mirrored_copy_are_compared_mirrored() -> None:
    planted = Planted.random(20)
    planted.copy(2, 18, bits=30, mirrored=True)
    assert rows_of(pairs_among(planted.signatures)) == [(2, 18, 30, True)]
    planted.signatures[18, 2 * HASH_BYTES :] = planted.signatures[2, 2 * HASH_BYTES :]
    assert rows_of(pairs_among(planted.signatures)) == []


def test_a_picture_that_is_its_own_mirror_image_is_found_once_and_not_as_mirrored() -> None:
    planted = Planted.random(20)
    planted.signatures[2, HASH_BYTES : 2 * HASH_BYTES] = planted.signatures[2, :HASH_BYTES]
    planted.copy(2, 18, bits=4)
    assert rows_of(pairs_among(planted.signatures)) == [(2, 18, 4, False)]


@pytest.mark.parametrize("cores", [1, 7, None])
def test_the_number_of_cores_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, cores: int | None
) -> None:
    planted = Planted.random(500)
    for row in range(0, 400, 3):
        planted.copy(row, row + 97, bits=row % 40, mirrored=row % 2 == 0)
    expected = by_brute_force(planted.signatures)
    assert len(expected) > 100
    monkeypatch.setattr(duplicates.os, "cpu_count", lambda: cores)
    assert rows_of(pairs_among(planted.signatures)) == expected


def test_every_row_is_told_as_progress() -> None:
    description: list[int] = []

    class Counted(RecordedProgress):
        @contextmanager
        def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
            with super().stage(title, total, unit):
                yield description.append

    progress = Counted()
    similar_pairs(Planted.random(35).signatures, progress)
    assert progress.stages == [("comparing images", 35)]
    assert sum(description) == 35


def test_signatures_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=rf"\(3, 64\) are not \(n, {SIGNATURE_BYTES}\)"):
        pairs_among(np.zeros((3, 64), np.uint8))


def almost_flat() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(127, 130, (64, 64, 3), dtype=np.uint8))


BLANK: dict[str, Callable[[], Image.Image]] = {
    "white": lambda: Image.new("RGB", (64, 64), "white"),
    "black": lambda: Image.new("RGB", (300, 200), "black"),
    "one colour": lambda: Image.new("RGB", (64, 64), (200, 30, 90)),
    "one pixel": lambda: Image.new("RGB", (1, 1), "red"),
    "almost flat": almost_flat,
    "flat JPEG": lambda: saved_as("JPEG", quality=30)(Image.new("RGB", (50, 50), (9, 200, 9))),
}


@pytest.mark.parametrize("blank", BLANK)
def test_an_image_without_contrast_has_no_signature(blank: str) -> None:
    assert signature(BLANK[blank]()) == b""


def test_images_without_contrast_match_nothing(
    tmp_path: Path, fresh_cache: Path, progress: Any
) -> None:
    for label in ("real", "fake"):
        (tmp_path / "set" / label).mkdir(parents=True)
    for number, make in enumerate(BLANK.values()):
        for label in ("real", "fake"):
            make().save(tmp_path / "set" / label / f"{number}.png")
    survey = survey_sources([Source("set", tmp_path / "set")], progress)
    assert (survey.files["error"] == "").all()
    assert survey.alike.empty
    columns = ["first", "second", "distance", "mirrored", "near", "detail"]
    assert survey.alike.columns.tolist() == columns


def test_a_signature_is_two_hashes_and_the_colours(faces: list[Image.Image]) -> None:
    face = faces[0]
    whole, mirror = signature(face), signature(ImageOps.mirror(face))
    assert len(whole) == SIGNATURE_BYTES
    assert whole[:HASH_BYTES] != whole[HASH_BYTES : 2 * HASH_BYTES]
    assert mirror[:HASH_BYTES] == whole[HASH_BYTES : 2 * HASH_BYTES]
    assert mirror[HASH_BYTES : 2 * HASH_BYTES] == whole[:HASH_BYTES]
    thumbnail = np.frombuffer(whole[2 * HASH_BYTES :], np.uint8).reshape(16, 16, 3)
    blocks = np.asarray(face).reshape(16, 16, 16, 16, 3).mean(axis=(1, 3))
    assert np.abs(thumbnail - blocks).max() < 2


def searches(progress: RecordedProgress) -> list[int]:
    return [total for title, total in progress.stages if title == "comparing images"]


def test_contents_are_searched_once(fresh_cache: Path, progress: RecordedProgress) -> None:
    planted = Planted.random(50)
    planted.copy(3, 40, bits=7, mirrored=True)
    digests = [f"{number:064x}" for number in range(50)]
    for _ in range(3):
        found = cached_pairs(digests, planted.signatures, same_picture, progress)
        assert rows_of(found) == [(3, 40, 7, True)]
    assert searches(progress) == [50]


@pytest.mark.parametrize("rows", [0, 1, 30])
def test_that_there_are_no_pairs_is_remembered_too(
    fresh_cache: Path, progress: RecordedProgress, rows: int
) -> None:
    digests = [f"{number:064x}" for number in range(rows)]
    for _ in range(2):
        found = cached_pairs(digests, Planted.random(rows).signatures, same_picture, progress)
        assert rows_of(found) == []
    assert searches(progress) == [rows]


def test_a_changed_content_is_searched_again(fresh_cache: Path, progress: RecordedProgress) -> None:
    planted = Planted.random(50)
    digests = [f"{number:064x}" for number in range(50)]
    assert rows_of(cached_pairs(digests, planted.signatures, same_picture, progress)) == []
    planted.copy(3, 40, bits=7)
    digests[40] = "f" * 64
    assert rows_of(cached_pairs(digests, planted.signatures, same_picture, progress)) == [
        (3, 40, 7, False)
    ]
    assert searches(progress) == [50, 50]


def test_a_removed_content_is_searched_again(fresh_cache: Path, progress: RecordedProgress) -> None:
    planted = Planted.random(50)
    planted.copy(3, 40, bits=7)
    digests = [f"{number:064x}" for number in range(50)]
    cached_pairs(digests, planted.signatures, same_picture, progress)
    fewer = cached_pairs(digests[1:], planted.signatures[1:], same_picture, progress)
    assert rows_of(fewer) == [(2, 39, 7, False)]
    assert searches(progress) == [50, 49]


def test_another_way_of_searching_searches_again(
    fresh_cache: Path, progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = [f"{number:064x}" for number in range(5)]
    signatures = Planted.random(5).signatures
    cached_pairs(digests, signatures, same_picture, progress)
    monkeypatch.setattr(duplicates, "SEARCH_VERSION", 99)
    cached_pairs(digests, signatures, same_picture, progress)
    assert searches(progress) == [5, 5]


def test_other_signatures_of_the_same_contents_are_searched_again(
    fresh_cache: Path, progress: RecordedProgress
) -> None:
    digests = [f"{number:064x}" for number in range(5)]
    cached_pairs(digests, Planted.random(5).signatures, same_picture, progress)
    cached_pairs(digests, Planted.random(5).signatures ^ 1, same_picture, progress)
    assert searches(progress) == [5, 5]
