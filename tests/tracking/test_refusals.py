"""A store that lets nobody in is told in a line that ends with what to do."""

import http.server
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from fakeface_bench.support.errors import FakefaceError, OutageError, UsageError, shortened
from fakeface_bench.tracking.addresses import check_store_address, check_store_is_there
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.store import open_store
from tests.reliability.servers import free_port

pytestmark = pytest.mark.filterwarnings(  # MLflow's use of SQLAlchemy
    "ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:sqlalchemy"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no variable of MLflow's."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("./mlruns", "migrate-filestore --source ./mlruns --target sqlite:///mlflow.db' takes its"),
        ("./mlruns", "or set MLFLOW_ALLOW_FILE_STORE=true to go on with it.$"),
        ("file:mlruns", "migrate-filestore --source mlruns --target"),
        ("file:///data/my runs", "migrate-filestore --source '/data/my runs' --target"),
        ("mlflow.db", "'mlflow.db' lacks its scheme; did you mean 'sqlite:///mlflow.db'?"),
        ("127.0.0.1:5055", "lacks its scheme; did you mean 'http://127.0.0.1:5055'?"),
        ("localhost:5000/mlflow", "did you mean 'http://localhost:5000/mlflow'?"),
        ("postgres://ann:secret@db/x", "has; did you mean 'postgresql://db/x'?"),
        ("htp://127.0.0.1:5000", "did you mean 'http://127.0.0.1:5000'?"),
        ("redis://db", "is of no kind that MLflow has; it is 'sqlite:///FILE', 'http://HOST:PORT'"),
        ("sqlite://mlflow.db", "names no file; did you mean 'sqlite:///mlflow.db'?"),
        ("sqlite:///absent/mlflow.db", "absent, which is no folder; make it, or name a file in"),
        ("sqlite:///.", "is a folder; name a file in it, such as 'sqlite:////.*/here/mlflow.db'"),
    ],
)
def test_an_address_that_is_none_is_told_before_anything_is_made(
    uri: str, says: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for check in (check_store_address, open_store):
        with pytest.raises(UsageError, match=says) as raised:
            check()
        assert "secret" not in str(raised.value)
        assert "\n" not in str(raised.value)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "uri", ["", "sqlite:///mlflow.db", "sqlite:///:memory:", "http://127.0.0.1:5000", "databricks"]
)
def test_an_address_that_may_be_passes(uri: str) -> None:
    check_store_address(uri)


def test_the_old_store_of_a_folder_is_told_where_nobody_named_it(folder: Path) -> None:
    (folder / "mlruns" / "0").mkdir(parents=True)
    (folder / "mlruns" / "0" / "meta.yaml").touch()
    with pytest.raises(UsageError, match=r"the folder .*/here/mlruns is MLflow's old store of"):
        open_store()
    with pytest.raises(UsageError, match="to begin a new one; or set MLFLOW_ALLOW"):
        open_store()


def test_the_old_store_works_where_that_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    open_store()
    with tracked_run("audit", "an audit", {"data": "faces"}) as run:
        pass
    assert mlflow.MlflowClient().get_run(run.run_id).info.status == "FINISHED"


def test_a_database_of_another_version_is_told_with_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store()
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
        database.commit()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/./mlflow.db")
    with pytest.raises(OutageError, match=r"then 'mlflow db upgrade sqlite:///.*mlflow\.db'"):
        open_store()


def test_a_deleted_experiment_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    open_store()
    client = mlflow.MlflowClient()
    number = client.create_experiment("faces")
    client.delete_experiment(number)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "faces")
    restore = f"'mlflow experiments restore --experiment-id {number}' brings it back, or let "
    with (
        pytest.raises(OutageError, match=f"{restore}MLFLOW_EXPERIMENT_NAME name another"),
        tracked_run("audit", "an audit", {}),
    ):
        pass
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    with (
        pytest.raises(OutageError, match="there is no experiment of id '77'"),
        tracked_run("audit", "an audit", {}),
    ):
        pass


class Answers(http.server.BaseHTTPRequestHandler):
    """Says the same, whatever it is asked."""

    code = 200

    def do_GET(self) -> None:
        self.send_response(self.code)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"no\n")

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{listening.server_port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.replace("://", "://ann:secret@"))
    yield address
    listening.shutdown()
    listening.server_close()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (401, r"asks who you are \(401\): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASS"),
        (403, r"does not let you in \(403\): ask its owner .* MLFLOW_TRACKING_TOKEN\.$"),
        (404, "is no MLflow server; let MLFLOW_TRACKING_URI name one"),
        (302, "is no MLflow server"),
        (200, "is no MLflow server"),
        (503, "answers with errors alone: look at its log"),
    ],
)
def test_what_a_server_answers_is_told_with_what_to_do(
    code: int, says: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "code", code)
    with pytest.raises(FakefaceError, match=says) as raised:
        open_store()
    assert server in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "does not answer" not in str(raised.value)


def test_only_where_nobody_answers_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(OutageError, match=f"{address} does not answer: start it, or let MLFLOW_"):
        open_store()


def test_reading_from_a_store_that_is_not_there_makes_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=rf"no MLflow store {folder}/mlflow\.db, in this folder"):
        check_store_is_there()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    with pytest.raises(UsageError, match=r"other\.db, which MLFLOW_TRACKING_URI names, so there"):
        check_store_is_there()
    assert list(folder.iterdir()) == []
    open_store()
    check_store_is_there()


@pytest.mark.parametrize(
    ("said", "most", "expected"),
    [
        ("short\n  and  spaced", 300, "short and spaced"),
        ("one two three four. Do this.", 24, "one two three … Do this."),
        ("one two three four five six seven", 20, "one two three four …"),
        ("a" * 40, 20, f"{'a' * 18} …"),
        (
            "First one. Second sentence. Look at a.b and c.",
            40,
            "First one. Second … Look at a.b and c.",
        ),
    ],
)
def test_what_is_shortened_ends_at_a_word_and_keeps_its_last_sentence(
    said: str, most: int, expected: str
) -> None:
    assert shortened(said, most) == expected
    assert len(shortened(said, most)) <= most
