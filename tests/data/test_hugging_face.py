"""Fetching from Hugging Face, against a server on this machine: whole, cut, refused, damaged."""

import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

from fakeface_bench.data.catalogue import dataset_named
from fakeface_bench.data.hugging_face import fetch_hugging_face
from fakeface_bench.data.sources import prepare_sources
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.support.errors import DataError
from tests.conftest import RecordedProgress

pytestmark = pytest.mark.usefixtures("fresh_cache")
IMAGES, SIDE = 4, 128
ROW = replace(
    dataset_named("deepfakeface"),
    counts={(None, "real"): IMAGES, (None, "fake"): 3 * IMAGES},
    image_size_px=SIDE,
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BY_HAND = f"By hand: download it from {ROW.url}, unpack it"


def archive(name: str) -> bytes:
    """A zip of noise in folders as deep as those of the real one."""
    rng = np.random.default_rng(list(name.encode()))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for number in range(IMAGES):
            pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG", compress_level=0)
            stem = name.removesuffix(".zip")
            opened.writestr(f"{stem}/{number:02}/{number}.png", picture.getvalue())
    return content.getvalue()


@dataclass
class Hub:
    """What is served; each request with its range, as asked.

    Attributes:
        status: Answered to every question.
        cut_at: Bytes after which the next answer to a GET is cut; 0 for none.
    """

    files: dict[str, bytes]
    status: int = 200
    cut_at: int = 0
    asked: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._begin()

    def do_GET(self) -> None:
        body = self._begin()
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        some = body[: hub.cut_at] if hub.cut_at else body
        hub.cut_at = 0
        self.wfile.write(some)

    def _begin(self) -> bytes:
        """Answer up to the body, as huggingface.co does of files that are not in git."""
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        name, wanted = self.path.rpartition("/")[2], self.headers.get("Range", "")
        hub.asked.append(f"{self.command} {name} {wanted}".strip())
        assert self.path == f"/datasets/{ROW.source}/resolve/main/{name}"
        status = hub.status if name in hub.files else 404
        whole = hub.files.get(name, b"")
        start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
        body = whole[start:] if status == 200 else b""
        self.send_response(206 if wanted and status == 200 else status)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        if status == 403:
            self.send_header("X-Error-Code", "GatedRepo")
        self.end_headers()
        return body

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output quiet."""


def ask(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Let huggingface_hub, which reads its variables when it is imported, ask this machine."""
    place = f"http://localhost:{port}"
    monkeypatch.setattr(constants, "ENDPOINT", place)
    template = "{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{place}/{template}")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4_096)  # what a cut may lose
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    monkeypatch.setenv("NO_PROXY", "localhost")
    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        server.hub = Hub({name: archive(name) for name in ROW.archives})  # type: ignore[attr-defined]
        ask(monkeypatch, server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.hub  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def refused(progress: RecordedProgress) -> str:
    """Return the one line that ends a fetch."""
    with pytest.raises(DataError) as obstacle:
        fetch_hugging_face(ROW, progress)
    line = str(obstacle.value)
    assert "\n" not in line
    return line


def test_archives_become_one_folder_by_class_and_generator(
    hub: Hub, progress: RecordedProgress
) -> None:
    folder = fetch_hugging_face(ROW, progress)
    assert progress.warnings == []
    fakes = sorted(path.name for path in (folder / "fake").iterdir())
    assert fakes == ["inpainting", "insight", "text2img"]
    assert len(list((folder / "real").rglob("*.png"))) == IMAGES
    assert sum(total for title, total in progress.stages if "downloading" in title) > 0
    asked = len(hub.asked)
    assert fetch_hugging_face(ROW, progress) == folder
    assert len(hub.asked) == asked  # what is there is not asked for again


def test_the_generators_of_its_fakes_are_known(
    hub: Hub, progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fakeface_bench.data.catalogue.DATASETS", (ROW,))
    survey = survey_sources(prepare_sources("deepfakeface", progress), progress)
    counts = survey.files.groupby(["label", "generator", "released"]).size()
    assert counts.to_dict() == {
        (0, "", ""): IMAGES,
        (1, "inswapper", "2023-03"): IMAGES,
        (1, "stable_diffusion_1_5", "2022-10"): IMAGES,
        (1, "stable_diffusion_inpainting", "2022-10"): IMAGES,
    }


def test_a_cut_download_resumes_where_it_was(hub: Hub, progress: RecordedProgress) -> None:
    hub.cut_at = 50_000
    fetch_hugging_face(ROW, progress)
    first = next(iter(ROW.archives))
    gets = [line for line in hub.asked if line.startswith(f"GET {first}")]
    assert gets[0] == f"GET {first}"
    assert gets[1].startswith(f"GET {first} bytes=")
    assert 0 < int(gets[1].partition("bytes=")[2].rstrip("-")) <= 50_000


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "deepfakeface cannot be fetched: Hugging Face"),
        (403, "Hugging Face refuses it (403): accept the terms on the dataset's page"),
        (404, "Hugging Face has no such dataset or file any more (404)"),
        (500, "Hugging Face answered with HTTP status 500"),
    ],
)
def test_what_is_refused_is_one_line(
    hub: Hub, progress: RecordedProgress, status: int, words: str
) -> None:
    hub.status = status
    line = refused(progress)
    assert words in line
    assert BY_HAND in line


def test_without_a_connection_it_is_one_line(
    hub: Hub, progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("localhost", 0)) as listener:
        port = listener.getsockname()[1]
    ask(monkeypatch, port)
    assert "Hugging Face cannot be reached" in refused(progress)


def test_a_damaged_archive_is_removed_and_nothing_is_left_of_the_set(
    hub: Hub, progress: RecordedProgress, tmp_path: Path
) -> None:
    whole = hub.files["insight.zip"]
    hub.files["insight.zip"] = whole[: len(whole) // 2]
    line = refused(progress)
    assert "the archive insight.zip of deepfakeface arrived damaged" in line
    hub.files["insight.zip"] = whole
    folder = fetch_hugging_face(ROW, progress)
    assert len(list(folder.rglob("*.png"))) == 4 * IMAGES
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["deepfakeface"]


def test_an_archive_that_would_write_elsewhere_is_refused(
    hub: Hub, progress: RecordedProgress
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr("../evil.png", b"")
    hub.files["wiki.zip"] = content.getvalue()
    line = refused(progress)
    assert "'../evil.png', a path out of its folder" in line
