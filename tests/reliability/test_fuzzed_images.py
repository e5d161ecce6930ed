"""Whatever a picture's file holds, decoding ends soon: with a picture, or with one line."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzzed_images import fuzzed_image
from benchmarks.fuzzing import LONGEST_SECONDS, Fuzzing, Handled, explode, fuzz
from benchmarks.image_bombs import bombs, jpeg_of_scans, png
from fakeface_bench.data.decode import decode_bytes
from fakeface_bench.support.errors import DataError
from tests.reliability.conftest import Count

#: By how much decoding small damaged pictures may let a process grow, in 2²⁰ bytes.
GROWTH_MIB = 500
#: By how much a picture as large as is let in may.
LARGEST_GROWTH_MIB = 2048
#: What is long work to decode, or to make.
LONG = (
    *("PNG of zeros, as", "WebP", "JPEG of as many", "TIFF of zeros"),
    *("PNG whose pixels", "PNG with 100 MB", "PNG with a profile"),
)


def assert_harmless(fuzzing: Fuzzing, growth_mib: float) -> None:
    assert [(image.name, image.seconds, image.defect) for image in fuzzing.defects] == []
    figures = fuzzing.figures()
    assert figures["slowest_seconds"] <= LONGEST_SECONDS
    assert figures["peak_mib"] <= growth_mib


def test_a_thousand_damaged_pictures_do_no_harm(record_property: Count) -> None:
    record_property("images fuzzed", 1_000)
    fuzzing = fuzz(range(1_000))
    assert_harmless(fuzzing, GROWTH_MIB)
    figures = fuzzing.figures()
    assert figures["images"] == 1_000
    assert 100 < figures["decoded"] < 900, "damage that is always or never seen tests little"


@pytest.mark.slow
def test_ten_thousand_damaged_pictures_do_no_harm(record_property: Count) -> None:
    record_property("images fuzzed", 10_000)
    assert_harmless(fuzz(range(1_000, 11_000)), GROWTH_MIB)


def test_the_same_seed_damages_the_same() -> None:
    assert fuzzed_image(7) == fuzzed_image(7)
    assert len({fuzzed_image(seed)[1] for seed in range(100)}) > 90


def test_small_bombs_do_no_harm() -> None:
    """All in one process, and the long ones not."""
    quick = [name for name in bombs() if not name.startswith(LONG)]
    assert len(quick) > 15
    assert_harmless(fuzz(quick, processes=2), GROWTH_MIB)


@pytest.mark.slow
def test_all_bombs_do_no_harm(record_property: Count) -> None:
    record_property("decompression bombs", len(bombs()))
    assert_harmless(explode(), LARGEST_GROWTH_MIB)


@pytest.mark.slow
def test_memory_is_that_of_the_process_that_decodes() -> None:
    """Whatever this one holds."""
    held = np.ones(600 * 2**20, np.uint8)
    (image,) = explode(["TIFF of zeros, as large as is let in"]).images
    assert image.peak_mib > 300
    assert held[-1]


def test_what_harms_would_be_seen() -> None:
    slow = Handled("7", LONGEST_SECONDS + 1, 0.0)
    lost = Handled("8", 0.0, 0.0, defect="the process is gone: SIGSEGV", lost=True)
    assert Fuzzing([Handled("6", 0.1, 0.0), slow, lost], 1.0).defects == [slow, lost]


@pytest.mark.parametrize(("seed", "says"), [("crash", "SIGSEGV"), ("hang", "it hangs")])
def test_a_process_that_is_lost_is_named_by_its_picture(
    seed: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.fuzzing.PATIENCE_SECONDS", 5.0)
    first, lost, last = fuzz(["1", seed, "2"], processes=1).images
    assert (first.defect, last.defect) == ("", "")
    assert lost.name == seed
    assert says in lost.defect


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (jpeg_of_scans(64, 100), "too many scans for a JPEG: more than 100"),
        (
            png(1, 1, b"", *[b"\0\0\0\0noTh\0\0\0\0"] * 100_001),
            "too many chunks for a PNG: more than 100,000",
        ),
        (
            b"\xff\xd8" + b"\xff\xfe\0\2" * 100_001,
            "too many segments for a JPEG: more than 100,000",
        ),
    ],
)
def test_files_of_too_many_parts_are_refused(content: bytes, says: str) -> None:
    with pytest.raises(DataError, match=f"^{says}$"):
        decode_bytes(io.BytesIO(content))


def test_scans_of_pictures_behind_the_first_are_not_counted() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(stream, "JPEG", progressive=True)
    picture = decode_bytes(io.BytesIO(stream.getvalue() + b"\xff\xda" * 500))
    assert picture.size == (64, 64)


def test_damaged_metadata_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x09" + b"\xff" * 20
    file = tmp_path / "a.jpg"
    Image.new("RGB", (64, 64), "red").save(file, "JPEG", exif=exif)
    with warnings.catch_warnings():
        warnings.resetwarnings()  # as outside of tests, but for what the package itself has set
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        decode_bytes(file)
    assert capfd.readouterr() == ("", "")
