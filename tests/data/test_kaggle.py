"""Fetching from Kaggle, against a real server on this machine: whole, cut, refused, damaged."""

import errno
import io
import logging
import socket
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import kagglehub
import numpy as np
import pytest
from PIL import Image

from fakeface_bench.data import kaggle
from fakeface_bench.data.catalogue import dataset_named
from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.kaggle import fetch_kaggle
from fakeface_bench.support.errors import DataError
from tests.conftest import RecordedProgress
from tests.data.kaggle_server import VERSION, KaggleServer, serving

IMAGES = 6
SIDE = 256
ROW = replace(
    dataset_named("hardfakevsreal"),
    key="faces",
    source="someone/faces",
    url="https://www.kaggle.com/datasets/someone/faces",
    counts={(None, "real"): IMAGES, (None, "fake"): IMAGES},
    image_size_px=SIDE,
)
BY_HAND = (
    f"By hand: download it from {ROW.url}, unpack it and pass the folder: -P data=path/to/folder"
)


def painted() -> bytes:
    """A zip of noise, which no compression makes smaller: about 2 MB."""
    rng = np.random.default_rng(0)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("real", "fake"):
            for number in range(IMAGES):
                pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
                picture = io.BytesIO()
                Image.fromarray(pixels).save(picture, "PNG", compress_level=0)
                archive.writestr(f"{name}/{number}.png", picture.getvalue())
        archive.writestr("data.csv", "id,label\n")
    return content.getvalue()


ARCHIVE = painted()


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """kagglehub's own cache, empty; nobody's credentials, no waiting."""
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "nobody"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    # Not TEST: there the client prints every answer, and so reads a cut archive before it is kept.
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setattr("kagglehub.clients.CHUNK_SIZE", 16_384)  # what a cut may lose
    monkeypatch.setattr(kaggle, "PAUSES", (0.01, 0.02, 0.03))
    return tmp_path / "hub" / "datasets" / "someone" / "faces"


def ask(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    from kagglesdk import kaggle_env

    places = {kaggle_env.KaggleEnv.LOCAL: f"http://localhost:{port}"}
    monkeypatch.setattr(kaggle_env, "_env_to_endpoint", places)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    with serving(ARCHIVE) as state:
        ask(monkeypatch, state.port)
        yield state


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nothing listens."""
    with socket.create_server(("localhost", 0)) as listener:
        port = listener.getsockname()[1]
    ask(monkeypatch, port)


def refused(progress: RecordedProgress, row: Dataset = ROW) -> str:
    """Return the one line that ends a fetch."""
    with pytest.raises(DataError) as obstacle:
        fetch_kaggle(row, progress)
    line = str(obstacle.value)
    assert "\n" not in line
    return line


def files_below(folder: Path) -> list[str]:
    return sorted(
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if not p.is_dir() and p.suffix != ".lock"
    )


def test_a_dataset_is_fetched_whole_and_told(
    server: KaggleServer,
    hub: Path,
    progress: RecordedProgress,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = fetch_kaggle(ROW, progress)
    assert folder == hub / "versions" / str(VERSION)
    assert len(list(folder.rglob("*.png"))) == 2 * IMAGES
    assert list(hub.glob("*.archive")) == []
    assert server.asked == ["GetDataset", "DownloadDataset", "archive"]
    assert server.sent_bytes == len(ARCHIVE)
    assert progress.warnings == []
    assert progress.stages == [("downloading faces", 3)]
    first, second, third = progress.lines
    assert first == f"faces: 12 images from Kaggle (someone/faces) into {hub}"
    assert second == f"faces: licence and terms: {ROW.licence}; {ROW.url}"
    assert third == f"faces: unpacking 13 files (3 MB) to {folder}"
    assert capsys.readouterr().out == ""


def test_a_second_call_makes_no_request_and_needs_no_server(
    hub: Path, progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ARCHIVE) as server:
        ask(monkeypatch, server.port)
        folder = fetch_kaggle(ROW, progress)
        asked = len(server.asked)
        assert fetch_kaggle(ROW, progress) == folder
        assert len(server.asked) == asked
    description = len(progress.lines)
    assert fetch_kaggle(ROW, progress) == folder
    assert len(progress.lines) == description


@pytest.mark.usefixtures("nobody")
def test_the_newest_complete_version_in_the_cache_is_taken(
    hub: Path, progress: RecordedProgress
) -> None:
    for version in ("2", "9", "10", "11"):
        (hub / "versions" / version).mkdir(parents=True)
        if version != "11":  # cut while it was unpacked
            (hub / f"{version}.complete").touch()
    assert fetch_kaggle(ROW, progress) == hub / "versions" / "10"


def test_a_download_cut_half_way_resumes_there(
    server: KaggleServer, progress: RecordedProgress
) -> None:
    server.cuts = [0.5]
    folder = fetch_kaggle(ROW, progress)
    assert len(list(folder.rglob("*.png"))) == 2 * IMAGES
    (resumed,) = [line for line in server.asked if "bytes=" in line]
    start = int(resumed.removeprefix("archive bytes=").removesuffix("-"))
    assert 0.45 * len(ARCHIVE) < start <= 0.5 * len(ARCHIVE)
    # What is beyond one archive was sent into the answer that kagglehub leaves unread.
    assert server.sent_bytes < 1.3 * len(ARCHIVE)
    server.wait_until_left()
    (cut,) = [line for line in progress.lines if "cut after" in line]
    assert cut == "faces: cut after 2 of 3 MB (connection cut); resumes in 0.01 s"


def test_a_silent_server_counts_as_cut(
    server: KaggleServer, progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kaggle, "TIMEOUTS", (5.0, 0.1))
    server.cuts, server.stall_seconds = [0.5], 0.4
    folder = fetch_kaggle(ROW, progress)
    assert len(list(folder.rglob("*.png"))) == 2 * IMAGES
    assert any("(no answer in time); resumes" in line for line in progress.lines)


def test_a_download_that_is_always_cut_says_how_far_it_came_and_resumes_later(
    server: KaggleServer, hub: Path, progress: RecordedProgress
) -> None:
    # Every second answer is the one that kagglehub asks for and leaves when it resumes.
    server.cuts = [0.3, 1, 0.1, 1, 0.1, 1, 0.1]
    line = refused(progress)
    assert line == (
        "the download of faces was cut 4 times (connection cut): 2 of 3 MB came and are kept; "
        f"the same command resumes there. {BY_HAND}"
    )
    (begun,) = hub.glob("*.archive")
    held = begun.stat().st_size
    assert not (hub / "versions").exists()
    server.asked.clear()
    fetch_kaggle(ROW, progress)
    assert f"archive bytes={held}-" in server.asked


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "Kaggle wants to know who asks (401): set KAGGLE_API_TOKEN or put kaggle.json in"),
        (403, "Kaggle refuses it (403): sign in with KAGGLE_API_TOKEN or kaggle.json, and accept"),
        (404, "Kaggle has no such dataset any more (404)"),
        (400, "Kaggle answered with HTTP status 400"),
        (503, "Kaggle cannot be reached (HTTP status 503)"),
    ],
)
def test_a_refusal_is_told_with_the_way_by_hand(
    server: KaggleServer, progress: RecordedProgress, status: int, says: str
) -> None:
    server.status = status
    line = refused(progress)
    assert line.startswith("faces cannot be fetched")
    assert says in line
    assert line.endswith(BY_HAND)
    assert server.asked == ["GetDataset"]


@pytest.mark.usefixtures("nobody")
def test_no_server_at_all_is_told_at_once(progress: RecordedProgress) -> None:
    line = refused(progress)
    assert line == (
        "faces cannot be fetched, Kaggle cannot be reached (connection refused). " + BY_HAND
    )


def test_credentials_that_cannot_be_read_are_told(
    server: KaggleServer, progress: RecordedProgress, tmp_path: Path
) -> None:
    (tmp_path / "nobody").mkdir()
    (tmp_path / "nobody" / "kaggle.json").write_text("no JSON")
    line = refused(progress)
    assert line.startswith("faces cannot be fetched: Invalid Kaggle credentials file at ")
    assert server.asked == []


@pytest.mark.parametrize(
    ("name", "mode"),
    [("../evil.png", 0), ("/evil.png", 0), ("fake/evil.png", stat.S_IFLNK | 0o777)],
)
def test_an_unsafe_archive_is_refused_and_leaves_nothing(
    server: KaggleServer, hub: Path, progress: RecordedProgress, name: str, mode: int
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("real/1.png", b"pixels")
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, "/etc/hostname")
    server.archive = content.getvalue()
    line = refused(progress)
    assert line.startswith(f"faces is refused: the archive {VERSION}.archive holds {name!r}, a")
    assert files_below(hub.parents[2]) == []
    assert not (hub / "versions").exists()


def overwritten(content: bytes) -> bytes:
    """Return an archive whose table is whole and whose first image is not."""
    return content[:1000] + bytes(1000) + content[2000:]


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (overwritten(ARCHIVE), "Bad CRC-32 for file 'real/0.png'"),
        (ARCHIVE[: len(ARCHIVE) // 2], "it is neither a zip nor a tar archive"),
        (b"<html>Sign in</html>", "it is neither a zip nor a tar archive"),
    ],
)
def test_a_damaged_archive_is_removed_and_the_next_attempt_is_a_fresh_one(
    server: KaggleServer, hub: Path, progress: RecordedProgress, damaged: bytes, why: str
) -> None:
    server.archive = damaged
    line = refused(progress)
    assert line == (
        f"the archive of faces arrived damaged ({why}) and was removed; the same command fetches "
        f"it again. {BY_HAND}"
    )
    assert files_below(hub) == []
    server.archive = ARCHIVE
    assert len(list(fetch_kaggle(ROW, progress).rglob("*.png"))) == 2 * IMAGES


def test_another_checksum_than_kaggle_states_is_damage(
    server: KaggleServer, hub: Path, progress: RecordedProgress
) -> None:
    server.md5 = bytes(16)
    assert "arrived damaged (its MD5 is not the one Kaggle states)" in refused(progress)
    assert files_below(hub) == []


def test_an_archive_damaged_on_this_disk_does_not_stay_in_the_way(
    server: KaggleServer, hub: Path, progress: RecordedProgress
) -> None:
    hub.mkdir(parents=True)
    (hub / f"{VERSION}.archive").write_bytes(overwritten(ARCHIVE))  # kagglehub takes it for whole
    assert "Bad CRC-32" in refused(progress)
    assert files_below(hub) == []
    fetch_kaggle(ROW, progress)


def test_no_room_for_the_archive_is_told_before_it_is_written(
    server: KaggleServer, hub: Path, progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_with(monkeypatch, len(ARCHIVE) - 1)
    assert f"needs {len(ARCHIVE):,} bytes and its disk has" in refused(progress)
    assert files_below(hub) == []


def test_no_room_for_the_images_keeps_the_archive(
    server: KaggleServer, hub: Path, progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_room = kaggle.check_room

    def more_for_the_images(needed_bytes: int, folder: Path) -> None:
        check_room(needed_bytes + 10**6 * (folder.name == str(VERSION)), folder)

    with monkeypatch.context() as full:
        disk_with(full, len(ARCHIVE))
        full.setattr(kaggle, "check_room", more_for_the_images)
        assert f"{VERSION} needs " in refused(progress)
    assert files_below(hub) == [f"{VERSION}.archive"]
    server.asked.clear()
    fetch_kaggle(ROW, progress)
    assert not [line for line in server.asked if "bytes=" in line]


def disk_with(monkeypatch: pytest.MonkeyPatch, free_bytes: int) -> None:
    class Usage:
        free = free_bytes

    monkeypatch.setattr(kaggle.shutil, "disk_usage", lambda folder: Usage)


def test_a_disk_that_fills_while_unpacking_keeps_the_archive_alone(
    server: KaggleServer, hub: Path, progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(self: zipfile.ZipFile, folder: str) -> None:
        (Path(folder) / "half").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(zipfile.ZipFile, "extractall", fill)
        line = refused(progress)
    assert line.startswith(f"no room left for faces in {hub}: 3 MB came and are kept; make room")
    assert files_below(hub) == [f"{VERSION}.archive"]
    assert not (hub / "versions" / str(VERSION)).exists()
    fetch_kaggle(ROW, progress)


def test_what_differs_from_the_row_is_a_warning_and_no_more(
    server: KaggleServer, progress: RecordedProgress
) -> None:
    row = replace(
        ROW, counts={(None, "real"): IMAGES, (None, "fake"): 50_000}, image_size_px=SIDE + 1
    )
    fetch_kaggle(row, progress)
    assert progress.warnings == [
        "faces: fake holds 6 images, 50,000 expected",
        "faces: real has 6 of 6 sampled images that are not 257×257 px, such as 0.png (256×256)",
        "faces: fake has 6 of 6 sampled images that are not 257×257 px, such as 0.png (256×256)",
    ]


def test_kagglehub_is_left_as_it_was(server: KaggleServer, progress: RecordedProgress) -> None:
    from kagglehub import clients, http_resolver

    # The names that are replaced; a release of kagglehub without them fails here.
    def names() -> tuple[object, ...]:
        return (
            clients.tqdm,
            http_resolver._extract_archive,
            http_resolver.build_kaggle_client,
            logging.getLogger("kagglehub").level,
        )

    before = names()
    fetch_kaggle(ROW, progress)
    assert names() == before
    assert kagglehub.__version__.startswith("1.0.")
