"""The model behind real HTTP: the same verdicts, every form, and nothing that a request may do."""

import io
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.jobs.predict import load_classifier
from fakeface_bench.serving.classifier import BATCH, Verdict
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.tracking.model_source import fetched_model
from tests.serving.drawn import drawn, encoded, mixed, text
from tests.serving.server import Server, served
from tests.serving.small_model import THRESHOLD, LoggedModel

PAGE = Path(__file__).resolve().parents[2] / "docs" / "register.md"
PICTURE = encoded(drawn(3), "JPEG")
#: More than any settings but a test's own allow.
FULL_SETTINGS = {
    "allow_paths": True,
    "max_images": 5,
    "max_megabytes": 0.1,
    "max_megapixels": 0.04,
}
FORMS = {
    "records": lambda images: {"dataframe_records": [{"image": image} for image in images]},
    "split": lambda images: {
        "dataframe_split": {"columns": ["image"], "data": [[image] for image in images]}
    },
    "inputs": lambda images: {"inputs": images},
    "inputs by name": lambda images: {"inputs": {"image": images}},
    "inputs of rows": lambda images: {"inputs": [{"image": image} for image in images]},
    "instances": lambda images: {"instances": [{"image": image} for image in images]},
}


@pytest.fixture(scope="module")
def server(logged: LoggedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with served(logged.address, logged.store, folder) as running:
        yield running


@pytest.fixture(scope="module")
def trusting_server(
    logged: LoggedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server whose operator allows paths and narrows the bounds."""
    settings = json.dumps(FULL_SETTINGS)
    folder = tmp_path_factory.mktemp("trusting_server")
    with served(logged.address, logged.store, folder, SERVING_MODEL_CONFIG=settings) as running:
        yield running


class Canary:
    """A web server of the test's own that notes who comes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canary.asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(PICTURE)

            do_HEAD = do_GET

            def log_message(self, *arguments: object) -> None:
                """Keep the test's output clean."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/face.jpg"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    bird = Canary()
    yield bird
    bird.close()


def assert_answers(server: Server) -> None:
    (row,) = server.ask_json({"inputs": [text(PICTURE)]}).rows
    assert row["error"] is None
    assert 0 <= row["probability_fake"] <= 1


def assert_refused(server: Server, content: object, says: str) -> None:
    answer = server.ask_json(content)
    assert answer.status == 400, answer.text
    assert says in answer.message
    assert_answers(server)


def test_two_hundred_mixed_pictures_get_their_offline_verdicts(
    server: Server, registry: LoggedModel
) -> None:
    files = mixed(200)
    with fetched_model(registry.address) as folder:
        offline = list(load_classifier(folder).classify(files, read_picture))
    rows = []
    for start in range(0, len(files), BATCH):
        images = [text(content) for content in files[start : start + BATCH]]
        rows += server.ask_json(FORMS["records"](images)).rows
    assert len(rows) == 200
    scores = [row["probability_fake"] for row in rows]
    expected = [verdict.probability_fake for verdict in offline]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    assert np.std(scores) > 0.1
    for row, verdict in zip(rows, offline, strict=True):
        assert list(row) == [field.name for field in fields(Verdict)]
        assert row["label"] == ("fake" if row["probability_fake"] >= THRESHOLD else "real")
        assert row["label"] == verdict.label
        assert row["threshold"] == THRESHOLD
        assert row["model_version"] == verdict.model_version == "1"
        assert row["error"] is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [1, 3])
def test_every_form_of_json_is_taken(server: Server, form: str, count: int) -> None:
    images = [text(encoded(drawn(seed), "PNG")) for seed in range(count)]
    rows = server.ask_json(FORMS[form](images)).rows
    expected = server.ask_json(FORMS["records"](images)).rows
    assert len(rows) == count
    for row, same in zip(rows, expected, strict=True):
        assert row["error"] is None
        assert row["probability_fake"] == pytest.approx(same["probability_fake"], abs=1e-5)


def test_a_single_picture_by_name_is_taken(server: Server) -> None:
    (row,) = server.ask_json({"inputs": {"image": text(PICTURE)}}).rows
    assert row["error"] is None


def test_a_single_picture_neither_named_nor_listed_is_refused(server: Server) -> None:
    assert_refused(server, {"inputs": text(PICTURE)}, "Model is missing inputs ['image']")


def test_parquet_of_file_bytes_is_taken(server: Server) -> None:
    table = io.BytesIO()
    pd.DataFrame({"image": [PICTURE, b"broken"]}).to_parquet(table)
    good, broken = server.ask(table.getvalue(), "application/vnd.apache.parquet").rows
    assert good["error"] is None
    assert broken["error"] == "not a readable image: its content is of no known format"


def test_the_line_of_the_documents_is_answered(server: Server, tmp_path: Path) -> None:
    (line,) = (line for line in PAGE.read_text().splitlines() if line.startswith("printf '{"))
    (tmp_path / "face.jpg").write_bytes(PICTURE)
    line = line.replace("127.0.0.1:5001", f"127.0.0.1:{server.port}")
    process = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    (row,) = json.loads(process.stdout)["predictions"]
    (same,) = server.ask_json({"inputs": [text(PICTURE)]}).rows
    assert row == same
    assert row["model_version"] == "1"


def test_a_picture_far_too_narrow_costs_its_own_row_alone(server: Server) -> None:
    thin = encoded(Image.new("L", (60_000, 1)), "PNG")
    good, narrow = server.ask_json({"inputs": [text(PICTURE), text(thin)]}).rows
    assert good["error"] is None
    assert narrow["error"].startswith("too narrow: 60000 × 1 pixels")


@pytest.mark.parametrize("form", FORMS)
def test_a_broken_picture_costs_its_own_row_alone(server: Server, form: str) -> None:
    images = [text(PICTURE), text(PICTURE[: len(PICTURE) // 2]), "no base64!", text(PICTURE)]
    rows = server.ask_json(FORMS[form](images)).rows
    assert [row["label"] is None for row in rows] == [False, True, True, False]
    assert [row["probability_fake"] is None for row in rows] == [False, True, True, False]
    assert rows[0]["probability_fake"] == pytest.approx(rows[3]["probability_fake"], abs=1e-6)
    assert rows[1]["error"].startswith("not a readable image: ")
    assert rows[2]["error"].startswith("not base64 text: ")
    for row in rows:
        assert (row["threshold"], row["model_version"]) == (THRESHOLD, "1")


def test_a_missing_picture_costs_its_own_row_alone(server: Server) -> None:
    rows = server.ask_json({"dataframe_records": [{"image": text(PICTURE)}, {"image": None}]}).rows
    assert [row["error"] for row in rows] == [None, "no image was given"]


def test_a_list_among_pictures_is_one_that_is_none(server: Server) -> None:
    good = text(PICTURE)
    rows = server.ask_json(FORMS["records"]([good, [good, good]])).rows
    assert [row["label"] is None for row in rows] == [False, True]
    assert rows[1]["error"].startswith("not an image but list; ")


def test_one_damaged_picture_is_answered_with_its_reason(server: Server) -> None:
    (row,) = server.ask_json({"inputs": [text(PICTURE[: len(PICTURE) // 2])]}).rows
    assert row["label"] is None
    assert row["error"].startswith("not a readable image: ")


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (["a face"], "not one image was given. The first: not base64 text"),
        (["a face", "another"], "not one image was given. The first: not base64 text"),
        ([text(b"<html>")], "not one image was given. The first: not a readable image"),
        ([3], "not one image was given. The first: not an image but "),
        ([None], "not one image was given. The first: no image was given"),
        ([""], "not one image was given. The first: no image was given: it is empty"),
        ([True], "not one image was given. The first: not an image but "),
    ],
    ids=lambda value: repr(value)[:40],
)
@pytest.mark.parametrize("form", ["records", "inputs", "inputs by name"])
def test_what_holds_no_image_at_all_is_refused(
    server: Server, form: str, images: list[Any], says: str
) -> None:
    assert_refused(server, FORMS[form](images), says)


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        7,
        "text",
        None,
        {"image": text(PICTURE)},
        {"dataframe_records": [{"picture": text(PICTURE)}]},
        {"dataframe_records": []},
        {"inputs": []},
        {"inputs": {"image": []}},
        {"inputs": {}},
        {"inputs": [], "instances": []},
        {"messages": [{"role": "user", "content": "hello"}]},
        {"dataframe_split": 3},
    ],
    ids=lambda value: repr(value)[:40],
)
def test_json_that_is_no_request_is_refused(server: Server, content: object) -> None:
    answer = server.ask_json(content)
    assert answer.status == 400, answer.text
    assert_answers(server)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"not JSON", "application/json", 400),
        (b"", "application/json", 400),
        (PICTURE, "application/json", 400),
        (PICTURE, "image/jpeg", 415),
        (PICTURE, "application/octet-stream", 415),
        (PICTURE, "application/vnd.apache.parquet", 400),
        (b"hello", "text/plain", 415),
        (b"image\nhello\n", "text/csv", 400),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    server: Server, body: bytes, content_type: str, status: int
) -> None:
    assert server.ask(body, content_type).status == status
    assert_answers(server)


def test_a_body_of_no_stated_type_is_refused(server: Server) -> None:
    # MLflow looks for one without asking whether there is any, and answers 500.
    assert server.ask(b'{"inputs": []}', None).status in (400, 415, 500)
    assert_answers(server)


def test_too_many_pictures_are_refused(server: Server) -> None:
    says = "1,001 images in one call; at most 1,000 are taken (the setting max_images)."
    for form in FORMS.values():
        assert_refused(server, form(["AAAA"] * 1001), says)


@pytest.mark.parametrize("form", ["records", "inputs"])
def test_too_large_a_request_is_refused_without_repeating_it(server: Server, form: str) -> None:
    answer = server.ask_json(FORMS[form](["A" * 50_020_000] * 2))
    assert answer.status == 400
    assert answer.message == (
        "100.0 MB of images in one call; at most 100 are taken (the setting max_megabytes)."
    )
    assert_answers(server)


def hostile_images(png: Path, canary: Canary) -> list[Any]:
    """Name a readable picture, and a page that answers with one, in every way we can think of."""
    return [
        "/etc/passwd",
        str(png),
        png.as_uri(),
        f"file:{png}",
        png.name,
        f"../{png.name}",
        canary.address,
        canary.address.removeprefix("http:"),
        r"\\127.0.0.1\share\face.png",
        r"C:\face.png",
        "data:text/html,<script>alert(1)</script>",
        f"data:text/uri-list;base64,{text(canary.address.encode())}",
        text(canary.address.encode()),
        text(str(png).encode()),
        text(f'<svg><image href="{canary.address}"/></svg>'.encode()),
        {"path": str(png)},
        {"__path__": str(png), "type": "PosixPath"},
        {"url": canary.address},
        {"py/object": "pathlib.PosixPath", "args": [str(png)]},
    ]


def assert_reads_nothing(server: Server, png: Path, canary: Canary) -> None:
    good = text(PICTURE)
    for image in hostile_images(png, canary):
        for name in ("records", "inputs", "inputs by name"):
            answer = server.ask_json(FORMS[name]([image]))
            assert answer.status == 400, f"{image} as {name}: {answer.text}"
            answer = server.ask_json(FORMS[name]([good, image]))
            if answer.status == 200:
                assert [row["label"] is None for row in answer.rows] == [False, True]
            else:
                assert answer.status == 400, f"{image} as {name}: {answer.text}"
    for key in ("params", "model_config", "config"):
        content = {"inputs": [str(png)], key: {"allow_paths": True, "max_images": 10**6}}
        assert server.ask_json(content).status == 400
    assert canary.asked == []
    assert_answers(server)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "readable.png"
    path.write_bytes(encoded(drawn(9), "PNG"))
    return path


def test_no_request_makes_it_read_a_file_or_a_page(
    server: Server, png: Path, canary: Canary
) -> None:
    assert_reads_nothing(server, png, canary)


def test_params_change_no_bound(server: Server) -> None:
    content = {"inputs": ["AAAA"] * 1001, "params": {"max_images": 10**6}}
    assert_refused(server, content, "1,001 images in one call")


@pytest.mark.slow
def test_not_even_a_server_that_may_read_files_is_made_to(
    trusting_server: Server, png: Path, canary: Canary
) -> None:
    assert_reads_nothing(trusting_server, png, canary)


@pytest.mark.slow
def test_an_operator_narrows_the_bounds(trusting_server: Server) -> None:
    says = "6 images in one call; at most 5 are taken"
    assert_refused(trusting_server, FORMS["inputs"]([text(PICTURE)] * 6), says)
    says = "0.2 MB of images in one call; at most 0.1 are taken"
    assert_refused(trusting_server, FORMS["inputs"](["A" * 200_000]), says)


@pytest.fixture
def model(registry: LoggedModel) -> Any:
    return mlflow.pyfunc.load_model(registry.address)


def test_offline_the_model_takes_bytes_text_and_arrays(model: Any) -> None:
    pictures = [drawn(seed, 70 + seed, 90) for seed in range(4)]
    files = [encoded(picture, "PNG") for picture in pictures]
    forms = {
        "bytes": files,
        "text": [text(content) for content in files],
        "arrays": [np.asarray(picture) for picture in pictures],
    }
    found = {}
    for name, images in forms.items():
        table = model.predict(pd.DataFrame({"image": pd.Series(images, dtype=object)}))
        assert list(table["error"]) == [None] * 4, name
        assert list(table["model_version"]) == ["1"] * 4
        found[name] = table["probability_fake"].astype(float)
    np.testing.assert_allclose(found["text"], found["bytes"], atol=1e-6)
    np.testing.assert_allclose(found["arrays"], found["bytes"], atol=1e-6)


def test_paths_are_read_only_where_the_loader_allows_it(registry: LoggedModel, png: Path) -> None:
    table = pd.DataFrame({"image": pd.Series([png], dtype=object)})
    closed = mlflow.pyfunc.load_model(registry.address)
    with pytest.raises(mlflow.exceptions.MlflowException, match="was not loaded to read files"):
        closed.predict(table)
    open_model = mlflow.pyfunc.load_model(registry.address, model_config={"allow_paths": True})
    (row,) = open_model.predict(table).to_dict("records")
    (same,) = closed.predict(pd.DataFrame({"image": [png.read_bytes()]})).to_dict("records")
    assert row["probability_fake"] == pytest.approx(same["probability_fake"], abs=1e-6)
    with pytest.raises(mlflow.exceptions.MlflowException, match="not base64 text"):
        open_model.predict(pd.DataFrame({"image": [str(png)]}))
