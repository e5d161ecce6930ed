"""All that can be wrong with a dataset, planted in one: an audit finds it, and nothing more."""

import os
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps

from fakeface_bench.data.audit import Audit, make_audit
from fakeface_bench.data.decode import decode_bytes
from fakeface_bench.data.index import build_index
from fakeface_bench.data.selection import BOTH_LABELS, HELD_OUT_COPY, UNREADABLE, select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import Survey, survey_sources
from fakeface_bench.data.synthetic.dataset import write_synthetic
from tests.conftest import RecordedProgress

EXACT, NEAR, EACH = 20, 20, 10
#: Pictures with both labels: the same bytes, and others that look alike, in two splits or in one.
CONFLICTS, DIVIDED_SWAPS, WHOLE_SWAPS = 2, 2, 1
SWAPS = DIVIDED_SWAPS + WHOLE_SWAPS

Pair = frozenset[str]


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def zero_bytes(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("<html>404 not found</html>")


@cache
def bomb_content() -> bytes:
    """Return a valid PNG of 30,000 × 30,000 black pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    side = 30_000
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + side // 8)) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def bomb(path: Path) -> None:
    path.unlink()
    path.with_suffix(".png").write_bytes(bomb_content())


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("gone.jpg"))


def cmyk(path: Path) -> None:
    decode_bytes(path).convert("CMYK").save(path, quality=90)


def palette(path: Path) -> None:
    resaved(path, decode_bytes(path).quantize(64))


def sixteen_bits(path: Path) -> None:
    grey = np.asarray(decode_bytes(path).convert("L")).astype(np.uint16) * 257
    resaved(path, Image.fromarray(grey))


def alpha(path: Path) -> None:
    image = decode_bytes(path)
    image.putalpha(ImageOps.invert(Image.radial_gradient("L")))
    resaved(path, image)


def resaved(path: Path, image: Image.Image) -> None:
    path.unlink()
    image.save(path.with_suffix(".png"), compress_level=1)


def animated(path: Path) -> None:
    image = decode_bytes(path)
    path.unlink()
    frames = [ImageOps.flip(image), ImageOps.invert(image)]
    image.save(path.with_suffix(".webp"), save_all=True, append_images=frames, method=0)


def newline(path: Path) -> None:
    path.rename(path.with_name(f"{path.stem}\n.jpg"))


def not_utf8(path: Path) -> None:
    path.rename(path.with_name(path.stem + os.fsdecode(b"\xff.jpg")))


UNREADABLE_KINDS = (truncated, zero_bytes, text, bomb, dangling)
ODD_KINDS = (cmyk, palette, sixteen_bits, alpha, animated, newline)
MODES = {cmyk: "CMYK", palette: "P", sixteen_bits: "I;16", alpha: "RGBA"}


def encoded(image: Image.Image, path: Path) -> None:
    image.save(path, quality=60)


def resized(image: Image.Image, path: Path) -> None:
    image.resize((160, 160), Image.Resampling.BICUBIC).save(path)


def brightened(image: Image.Image, path: Path) -> None:
    ImageEnhance.Brightness(image).enhance(1.2).save(path)


def mirrored(image: Image.Image, path: Path) -> None:
    ImageOps.mirror(image).save(path)


NEAR_KINDS = (encoded, resized, brightened, mirrored)


@dataclass
class Planted:
    """A dataset, and what is wrong with it; files by their paths relative to it."""

    root: Path
    faces: int
    identical: set[Pair] = field(default_factory=set)
    similar: set[Pair] = field(default_factory=set)
    mirrored: set[Pair] = field(default_factory=set)
    conflicts: set[Pair] = field(default_factory=set)
    swaps: set[Pair] = field(default_factory=set)
    held_out_copies: set[str] = field(default_factory=set)
    unreadable: dict[str, set[str]] = field(default_factory=dict)
    odd: dict[str, set[str]] = field(default_factory=dict)
    skipped: int = 0

    @property
    def in_both_classes(self) -> set[str]:
        return {name for pair in self.conflicts for name in pair}

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def plant(root: Path, faces: int) -> Planted:
    """Draw distinct faces in the layout of the 140k set, and spoil it."""
    write_synthetic(root, faces, seed=0)
    planted = Planted(root, faces)
    untouched = {
        (split, label): iter(sorted(root.glob(f"*/*/{split}/{label}/*.jpg")))
        for split in ("train", "valid", "test")
        for label in ("real", "fake")
    }
    _plant_copies(planted, untouched)
    _plant_conflicts(planted, untouched)
    _plant_broken(planted, untouched)
    return planted


Untouched = dict[tuple[str, str], Iterator[Path]]


def _plant_copies(planted: Planted, untouched: Untouched) -> None:
    """Copy pictures into another split of their class; that in the earlier split is to go."""
    routes = cycle(
        (held, other, label)
        for held, other in (("test", "train"), ("test", "valid"), ("valid", "train"))
        for label in ("real", "fake")
    )
    kinds = [*[None] * EXACT, *islice(cycle(NEAR_KINDS), NEAR)]
    for number, (kind, (held, other, label)) in enumerate(zip(kinds, routes, strict=False)):
        turned = number % 2 == 1  # now and then the original lies in the earlier split
        original = next(untouched[other if turned else held, label])
        folder = original.parents[2] / (held if turned else other) / label
        copy = folder / f"copy_{number}.jpg"
        _copy(planted, original, copy, kind)
        planted.held_out_copies.add(planted.name(original if turned else copy))


def _plant_conflicts(planted: Planted, untouched: Untouched) -> None:
    """Copy pictures into the other class, into the same split and into others.

    One that is only alike is a manipulation: of a pair that a split divides the original leaves.
    """
    kinds = (None, encoded, mirrored, None, resized)
    assert (kinds.count(None), len(kinds)) == (CONFLICTS, CONFLICTS + SWAPS)
    places = ("train", "test", "valid", "test", "train")
    for number, (kind, split) in enumerate(zip(kinds, places, strict=True)):
        original = next(untouched["train", "fake" if number % 2 else "real"])
        other = "real" if number % 2 else "fake"
        copy = original.parents[2] / split / other / f"conflict_{number}.jpg"
        _copy(planted, original, copy, kind)
        pairs = planted.swaps if kind else planted.conflicts
        pairs.add(frozenset({planted.name(original), planted.name(copy)}))
        if kind and split != "train":
            planted.held_out_copies.add(planted.name(original))


def _copy(
    planted: Planted, original: Path, copy: Path, kind: Callable[[Image.Image, Path], None] | None
) -> None:
    pair = frozenset({planted.name(original), planted.name(copy)})
    if kind is None:
        shutil.copy(original, copy)
        planted.identical.add(pair)
        return
    kind(decode_bytes(original), copy)
    (planted.mirrored if kind is mirrored else planted.similar).add(pair)


def _plant_broken(planted: Planted, untouched: Untouched) -> None:
    """Put broken and odd files in the place of pictures, most in train, some in test."""
    places = cycle(
        [("train", "real"), ("train", "fake")] * 4 + [("test", "real"), ("test", "fake")]
    )
    for spoil in (*UNREADABLE_KINDS, *ODD_KINDS, not_utf8):
        names: set[str] = set()
        for place in islice(places, EACH):
            path = next(untouched[place])
            before = set(path.parent.iterdir()) - {path}
            spoil(path)
            (made,) = set(path.parent.iterdir()) - before
            names.add(planted.name(made))
        if spoil in UNREADABLE_KINDS:
            planted.unreadable[spoil.__name__] = names
        elif spoil in ODD_KINDS:
            planted.odd[spoil.__name__] = names
        else:
            planted.skipped += len(names)


@dataclass(frozen=True)
class Audited:
    """A planted set, and what was found in it."""

    planted: Planted
    survey: Survey
    files: pd.DataFrame
    audit: Audit

    def left_out(self, why: str) -> set[str]:
        return set(self.files.loc[self.files["left_out"] == why, "path"])

    def pairs(self, chosen: pd.Series) -> list[Pair]:
        paths = self.audit.files["path"]
        return [
            frozenset({paths[p.first], paths[p.second]})
            for p in self.audit.pairs[chosen].itertuples()
        ]

    def pairs_of(self, kind: str) -> list[Pair]:
        return self.pairs(self.audit.pairs["kind"] == kind)


@pytest.fixture(
    scope="module", params=[400, pytest.param(2000, marks=pytest.mark.slow)], ids="{} faces".format
)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKEFACE_CACHE", str(folder / "cache"))
        planted = plant(folder / "set", request.param)
        survey = survey_sources([Source("set", planted.root)], RecordedProgress())
        files = select_files(survey, seed=0)
        yield Audited(planted, survey, files, make_audit(survey, files, {}))


def test_every_file_is_accounted_for(found: Audited) -> None:
    on_disk = sum(len(names) for _, _, names in os.walk(found.planted.root))
    assert on_disk == found.planted.faces + EXACT + NEAR + CONFLICTS + SWAPS
    assert len(found.audit.files) + len(found.audit.skipped) == on_disk
    assert found.audit.files["path"].is_unique
    reasons = Counter(found.audit.files["left_out"])
    leaving = EXACT + NEAR + DIVIDED_SWAPS
    used = on_disk - EACH - len(UNREADABLE_KINDS) * EACH - 2 * CONFLICTS - leaving
    assert reasons == {
        "": used,
        UNREADABLE: len(UNREADABLE_KINDS) * EACH,
        BOTH_LABELS: 2 * CONFLICTS,
        HELD_OUT_COPY: leaving,
    }


def test_exactly_the_planted_identical_copies_are_found(found: Audited) -> None:
    pairs = found.pairs_of("identical")
    assert set(pairs) == found.planted.identical
    assert len(pairs) == EXACT + 2


def test_exactly_the_planted_near_copies_are_found(found: Audited) -> None:
    similar, turned = found.pairs_of("similar"), found.pairs_of("mirrored")
    assert set(similar) == found.planted.similar
    assert set(turned) == found.planted.mirrored
    assert (len(similar), len(turned)) == (NEAR * 3 // 4 + 2, NEAR // 4 + 1)
    assert set(found.audit.pairs["kind"]) == {"identical", "similar", "mirrored"}


def test_copies_across_splits_leave_the_earlier_one(found: Audited) -> None:
    assert found.left_out(HELD_OUT_COPY) == found.planted.held_out_copies
    across = set(found.pairs(found.audit.pairs["across_splits"]))
    copies = found.planted.identical | found.planted.similar | found.planted.mirrored
    both_labels = found.planted.conflicts | found.planted.swaps
    assert across - both_labels == copies - both_labels


def test_exactly_the_planted_conflicts_of_labels_are_found(found: Audited) -> None:
    opposite = found.audit.pairs["opposite_labels"]
    identical = found.audit.pairs["kind"] == "identical"
    conflicts, swaps = found.pairs(opposite & identical), found.pairs(opposite & ~identical)
    assert (set(conflicts), set(swaps)) == (found.planted.conflicts, found.planted.swaps)
    assert (len(conflicts), len(swaps)) == (CONFLICTS, SWAPS)
    assert found.left_out(BOTH_LABELS) == found.planted.in_both_classes


def test_exactly_the_planted_broken_files_are_unreadable(found: Audited) -> None:
    planted = found.planted.unreadable
    assert found.left_out(UNREADABLE) == set().union(*planted.values())
    errors = found.files.set_index("path")["error"]
    starts = {
        "bomb": "too large: ",
        "zero_bytes": "the file is empty",
        "dangling": "No such file or directory",
    }
    for kind, names in planted.items():
        assert len(names) == EACH
        for name in names:
            assert errors[name].startswith(starts.get(kind, "not a readable image: "))


def test_a_name_that_is_not_utf8_is_skipped_with_its_reason(found: Audited) -> None:
    skipped = found.audit.skipped
    assert len(skipped) == found.planted.skipped == EACH
    assert set(skipped["source"]) == {"set"}
    assert set(skipped["reason"]) == {"its name is not UTF-8"}
    assert skipped["path"].str.endswith(r"\xff.jpg").all()


def test_odd_files_are_read_for_what_they_are(found: Audited) -> None:
    files = found.audit.files.set_index("path")
    still = files[files["format"] != "WEBP"]  # whose frames may gain transparency when saved
    for kind, mode in MODES.items():
        assert set(still.index[still["mode"] == mode]) == found.planted.odd[kind.__name__]
        assert len(found.planted.odd[kind.__name__]) == EACH
    moving = files[files["frames"] > 1]
    assert set(moving.index) == found.planted.odd["animated"]
    assert set(moving["frames"]) == {3}
    assert all("\n" in name for name in found.planted.odd["newline"])
    assert not files["wrong_extension"].any()


def test_odd_files_take_part_in_a_study(found: Audited) -> None:
    odd = set().union(*found.planted.odd.values())
    assert len(odd) == len(ODD_KINDS) * EACH
    assert set(found.files.loc[found.files["left_out"] == "", "path"]) >= odd
    broken = found.survey.files["error"] != ""
    readable = Survey(
        found.survey.sources,
        found.survey.files[~broken].reset_index(drop=True),
        found.survey.alike,
        found.survey.skipped,
    )
    progress = RecordedProgress()
    index = build_index(readable, select_files(readable, seed=0), 0, progress)
    assert set(index.frame["path"]) == set(found.files.loc[found.files["left_out"] == "", "path"])
    assert index.digest == found.audit.digest
    warned = "\n".join(progress.warnings)
    assert warned.count("its name is not UTF-8") == EACH
    assert f"left out {2 * CONFLICTS} images that were found with both labels" in warned
    assert f"left out {EXACT + NEAR + DIVIDED_SWAPS} train or valid images" in warned
    assert len(progress.warnings) == EACH + 2
    for path in index.files(index.frame[index.frame["path"].isin(odd)]):
        assert decode_bytes(path).size == (256, 256)


def test_auditing_again_reads_only_what_could_not_be_opened(
    found: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKEFACE_CACHE", str(found.planted.root.parent / "cache"))
    progress = RecordedProgress()
    survey = survey_sources([Source("set", found.planted.root)], progress)
    assert progress.stages == [("reading files", EACH)]
    pd.testing.assert_frame_equal(survey.files, found.survey.files)
    pd.testing.assert_frame_equal(survey.alike, found.survey.alike)
