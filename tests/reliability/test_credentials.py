"""A password in the URL of a storage or of MLflow's store is shown to nobody."""

import re
from pathlib import Path

import psutil
import pytest

from fakeface_bench.support.text import hide_credentials, holds_password, without_credentials
from tests.command import ROOT, only_run, run_mlflow
from tests.reliability.commands import Launcher, Place, Running
from tests.reliability.databases import Database
from tests.reliability.servers import TrackingServer, free_port

pytestmark = pytest.mark.filterwarnings(  # MLflow's use of SQLAlchemy
    "ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:sqlalchemy"
)

SECRET = "s3cr3t-w0rd"
#: Nothing listens on port 1.
REFUSED = f"postgresql://ann:{SECRET}@127.0.0.1:1/studies"
HIDDEN = [
    ("postgresql://ann:secret@db:5432/x", "postgresql://db:5432/x"),
    ("postgresql+psycopg2://ann:secret@[::1]:5432/x", "postgresql+psycopg2://[::1]:5432/x"),
    ("postgresql://ann:a%40secret@db/x", "postgresql://db/x"),
    ("postgresql://ann:se/cret@db/x", "postgresql://db/x"),
    ("postgresql://ann:se@cret@db/x", "postgresql://db/x"),
    ("postgresql://ann:12/34secret@db/x", "postgresql://db/x"),
    ("postgresql://ann:#secret?@db/x", "postgresql://db/x"),
    ("postgresql://:secret@db/x", "postgresql://db/x"),
    ("https://secret@host/x", "https://host/x"),
    ("http://ann:secret@127.0.0.1:5000/#/runs/1?a=b", "http://127.0.0.1:5000/#/runs/1?a=b"),
    ("http://ann:1234@127.0.0.1:5000", "http://127.0.0.1:5000"),
    ("postgresql://db/x?user=ann&password=secret", "postgresql://db/x?user=ann&password=***"),
    ("postgresql://db/x?sslpassword=secret&a=b", "postgresql://db/x?sslpassword=***&a=b"),
    ("https://host/x?access_token=secret#top", "https://host/x?access_token=***#top"),
]
UNTOUCHED = [
    "sqlite:////home/ann@work/studies.db",
    "sqlite:///C:\\Users\\ann@work\\studies.db",
    "file:///C:/Users/ann@work",
    "http://127.0.0.1:5000/#/experiments/1/runs/a@b",
    "http://[::1]:5000/a@b",
    "https://host/@ann/x",
    "https://host?mail=ann@example.org",
    "https://host:443?mail=ann@example.org",
    "models:/fakeface@champion",
    "ask ann@example.org: C:\\Users\\ann@work, or see https://host:443",
    "Serve it: mlflow models serve -m models:/fakeface@champion",
    "the password is wrong; see http://host/password",
]


@pytest.mark.parametrize(("url", "shown"), HIDDEN)
def test_a_url_loses_its_credentials_alone_and_in_a_text(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
    text = f"cannot reach {url} or '{url}': see https://example.org or ann@example.org, {url}"
    assert hide_credentials(text) == text.replace(url, shown)


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_holds_none_stays_as_it_is(text: str) -> None:
    assert hide_credentials(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://a:secret@b,http://c:secret@d",
        "https://host/?next=postgresql%3A%2F%2Fann%3Asecret%40db%2Fx",
        "https://host/?next=postgresql%3a%2f%2fdb%2fx%3Fpassword%3Dsecret%26a%3Db",
        "host=db user=ann password=secret dbname=x",
        "['http://ann:secret@host', 'postgresql://ann:secret@host']",
        "HTTP://ann:secret@host",
        "postgresql://ann:secret@db\npostgresql://ann:secret@db",
    ],
)
def test_credentials_are_found_however_they_stand_in_a_text(text: str) -> None:
    assert "secret" not in hide_credentials(text)


def test_a_user_without_a_password_may_be_shown() -> None:
    assert not holds_password("postgresql://ann@db/x")
    assert not holds_password("sqlite:///ann@work.db")
    assert holds_password("postgresql://ann:secret@db/x")
    assert holds_password("postgresql://db/x?password=secret")


def left_behind(folder: Path) -> list[str]:
    """Return where the secret stands in what a command left, bytes of databases among it."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if SECRET.encode() in path.read_bytes()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


@pytest.mark.parametrize("command", ["run", "suite", "generalise"])
def test_a_password_on_the_command_line_is_refused(
    command: str, place: Place, launcher: Launcher
) -> None:
    running = launcher.start(place, command, "--storage", REFUSED)
    assert running.finish() == 2
    assert running.printed.startswith("Error: storage holds a password, and a command line and")
    assert ": put the URL into the variable FAKEFACE_STORAGE, or the password" in running.printed
    assert running.printed.count("\n") == 1
    assert left_behind(place.folder) == []


def test_a_password_with_white_space_is_refused(place: Place, launcher: Launcher) -> None:
    storage = {"FAKEFACE_STORAGE": f"postgresql://ann:{SECRET} of mine@127.0.0.1:1/studies"}
    running = launcher.start(place, "run", environment=storage)
    assert running.finish() == 2
    assert "the password in FAKEFACE_STORAGE holds white space; write it as %20" in running.printed
    assert left_behind(place.folder) == []


def test_a_database_that_refuses_is_told_without_its_password(
    place: Place, launcher: Launcher, study: list[str]
) -> None:
    running = launcher.start(place, *study, environment={"FAKEFACE_STORAGE": REFUSED})
    assert running.finish() == 1
    assert "storage postgresql://127.0.0.1:1/studies cannot be opened: " in running.printed
    assert "Traceback" not in running.printed
    assert "postgresql://127.0.0.1:1/studies" in place.parent().data.tags["fakeface.failure"]
    assert left_behind(place.folder) == []


@pytest.mark.parametrize(
    "address",
    [
        f"http://ann:{SECRET}@127.0.0.1:{{port}}",
        f"http://ann:{SECRET}@no host:{{port}}",
        f"http://ann:{SECRET}@127.0.0.1:{{port}}0000",
        pytest.param(  # MLflow tries again for a hundred seconds
            f"postgresql://ann:{SECRET}@127.0.0.1:{{port}}/mlflow", marks=pytest.mark.slow
        ),
        f"mysql+nodriver://ann:{SECRET}@127.0.0.1:{{port}}/mlflow",
    ],
)
def test_a_tracking_server_that_is_not_there_is_told_without_its_password(
    address: str, tmp_path: Path, launcher: Launcher
) -> None:
    place = Place(tmp_path / "place", tracking=address.format(port=free_port()))
    running = launcher.start(place, "compare")
    assert running.finish() == 1
    assert "Error: the MLflow store " in running.printed
    assert "Traceback" not in running.printed
    assert left_behind(place.folder) == []


@pytest.mark.slow
def test_what_mlflow_run_has_logged_can_be_deleted_for_good(tmp_path: Path) -> None:
    """MLflow logs `-P` values before any program of this project runs."""
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    asked = ("run", str(ROOT), "--env-manager", "local", "-P", f"storage={REFUSED}")
    project = run_mlflow(store, tmp_path, *asked)
    run = only_run(store)
    assert run.data.tags["fakeface.failure"].startswith("storage holds a password, and")
    assert SECRET not in str(run.data.tags)
    description = re.search(
        r"Error: storage holds .* 'mlflow run' has logged it already: '(mlflow runs delete .*)', "
        r"then '(mlflow gc .*)', deletes it for good\.\n",
        project.stderr,
    )
    assert description, project.stderr
    for command in description.groups():
        done = run_mlflow(store, tmp_path, *command.split()[1:])
        assert done.returncode == 0, done.stderr
    assert left_behind(tmp_path) == []


@pytest.mark.slow
def test_a_whole_study_with_passwords_shows_them_nowhere(
    tmp_path: Path, launcher: Launcher, study: list[str]
) -> None:
    """A PostgreSQL and an MLflow server that take any password, and all that either keeps."""
    database = Database()
    server = TrackingServer(tmp_path / "server")
    server.start()
    try:
        tracking = server.address.replace("://", f"://ann:{SECRET}@")
        storage = database.address.replace("ann@", f"ann:{SECRET}@")
        place = Place(tmp_path / "place", tracking=tracking)
        words = [*study, "--register", "fakeface"]
        running = launcher.start(place, *words, environment={"FAKEFACE_STORAGE": storage})
        assert running.finish() == 0, running.printed
        assert "then open http://127.0.0.1:" in running.printed
        suite = [
            "suite",
            "--models",
            "mobilenetv3_small,simple_cnn",
            *study[3:],
            "--output",
            "report",
        ]
        running = launcher.start(place, *suite, environment={"FAKEFACE_STORAGE": storage})
        seen = command_lines(running)
        assert running.finish() == 0, running.printed
        assert (place.folder / "report" / "report.html").exists()
        assert seen
        assert not any(SECRET in line for line in seen)
    finally:
        server.kill()
        database.close()
    assert left_behind(place.folder) + left_behind(tmp_path / "server") == []


def command_lines(running: Running) -> set[str]:
    """Return the command lines of a command's children while it runs."""
    seen: set[str] = set()
    while not running.ended.wait(0.2):
        try:
            children = psutil.Process(running.pid).children(recursive=True)
            seen |= {" ".join(child.cmdline()) for child in children}
        except psutil.Error:  # it ended meanwhile
            continue
    return seen
