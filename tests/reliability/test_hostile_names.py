"""Names from outside stay names: in pages, notes, tags, terminals and command lines."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from fakeface_bench.api.progress import ConsoleProgress
from tests.command import ROOT, only_run, run_mlflow
from tests.reliability.commands import Launcher, Place
from tests.reliability.conftest import STUDY

pytestmark = pytest.mark.filterwarnings(  # MLflow's use of SQLAlchemy
    "ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:sqlalchemy"
)

#: What each sink would act on: shells, HTML, Markdown, tables, rich, terminals, and readers' eyes.
HOSTILE = (
    "x;touch pwned $(touch pwned)`touch pwned`|touch pwned&'\"<img src=x onerror=alert(1)>"
    "<u>[b](javascript:alert(1))**c**[red]\x1b[31m\x07\x85\u202e\u2066{{7*7}}%s\r\n# d\t--help"
)
LONG = "long" * 50
#: What no page of this project has, and `HOSTILE` would add.
INJECTED = "img[src='x'], u, [onerror], [onload], a[href^='javascript']"
#: Tags that hold Markdown or a line a dataset.
MANY_LINES = ("mlflow.note.content", "fakeface.elsewhere")


@dataclass
class Left:
    """What commands have left that were given hostile names.

    Attributes:
        place: Where they ran.
        printed: All that they printed.
        pages: The HTML pages that they wrote.
    """

    place: Place
    printed: str
    pages: list[Path]


@pytest.fixture(scope="module")
def faces(tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose folder, and many of whose files, have hostile names."""
    folder = tmp_path_factory.mktemp("hostile") / HOSTILE
    shutil.copytree(tiny_faces, folder)
    pictures = sorted(folder.rglob("*.jpg")) + sorted(folder.rglob("*.png"))
    for number, file in enumerate(pictures):
        stem = HOSTILE if number % 2 else LONG
        file.rename(file.with_name(f"{number}{stem}{file.suffix}"))
    (pictures[1].parent / f"{HOSTILE}.gif").write_text("is not read")
    return folder


def used(place: Place, commands: list[list[str]], launcher: Launcher) -> Left:
    printed = ""
    for command in commands:
        running = launcher.start(place, *command)
        assert running.finish() == 0, running.printed
        printed += running.printed
    return Left(place, printed, sorted(place.folder.glob("*/*.html")))


@pytest.fixture(scope="module")
def audited(faces: Path, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Left:
    commands = [["audit", str(faces), "--output", "audit"]]
    return used(Place(tmp_path_factory.mktemp("audited")), commands, launcher)


@pytest.fixture(scope="module")
def studied(faces: Path, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """A study, its model card in the registry, and all that is done with its model then."""
    pictures = [str(path) for path in sorted(faces.rglob("*.jpg"))[:4]]
    commands = [
        [*STUDY, "--data", str(faces), "--register", "fakeface"],
        ["compare"],
        ["evaluate", "--data", str(faces)],
        ["robustness", "--limit", "4"],
        ["explain", "models:/fakeface/1", *pictures],
        ["predict", "models:/fakeface/1", *pictures],
    ]
    return used(Place(tmp_path_factory.mktemp("studied")), commands, launcher)


def assert_inert(browser: Any, content: str) -> None:
    """No name of a page has become an element, an address or a script that ran."""
    page = browser.new_page()
    alarms: list[str] = []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    page.set_content(content, wait_until="load")
    assert page.evaluate(f"document.querySelectorAll({INJECTED!r}).length") == 0
    assert alarms == []
    page.close()


def test_names_on_the_page_of_an_audit_are_text(audited: Left, browser: Any) -> None:
    (page,) = audited.pages
    assert_inert(browser, page.read_text("utf-8"))
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.read_text("utf-8")


@pytest.mark.slow
def test_names_on_all_other_pages_are_text(studied: Left, browser: Any) -> None:
    folders = {page.parent.name for page in studied.pages}
    assert folders == {"comparison", "evaluation", "robustness"}
    for page in studied.pages:
        assert_inert(browser, page.read_text("utf-8"))


def notes(left: Left) -> dict[str, str]:
    """Return what MLflow's UI renders as Markdown, by where it stands."""
    client = left.place.client
    runs = client.search_runs(["0"])
    found = {run.info.run_name: run.data.tags.get("mlflow.note.content", "") for run in runs}
    versions = client.search_model_versions("name = 'fakeface'")
    return found | {version.version: version.description for version in versions}


@pytest.mark.slow
def test_names_in_notes_are_text(studied: Left, browser: Any) -> None:
    """Markdown with HTML let through, which MLflow's UI cleans of scripts besides."""
    found = {place: note for place, note in notes(studied).items() if note}
    assert len(found) >= 3
    for note in found.values():
        rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(note)
        assert_inert(browser, rendered)
        assert set(re.findall(r"<h\d>(.*?)</h\d>", rendered)) & {"d", "d\t--help"} == set()


def test_names_that_an_audit_tells_of_steer_nothing(audited: Left) -> None:
    assert_harmless(audited)


@pytest.mark.slow
def test_names_that_other_commands_tell_of_steer_nothing(studied: Left) -> None:
    assert_harmless(studied)
    assert "\\u202e" in studied.printed, "names are told, as what they are"


def assert_harmless(left: Left) -> None:
    """A terminal is sent lines alone, tags are short and on one line, and nothing was started."""
    assert {c for c in left.printed if not c.isprintable()} == {"\n"}
    for run in left.place.client.search_runs(["0"]):
        for name in (*run.data.tags, *run.data.params, *run.data.metrics):
            assert re.fullmatch(r"[\w./ -]+", name), name
        for name, value in run.data.tags.items():
            assert value.isprintable() or name in MANY_LINES, f"{name}: {value!r}"
    assert list(left.place.folder.rglob("pwned")) == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("[red]a[/]", "[red]a[/]"),
        ("a\nError: b", "a\\nError: b"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("postgresql://ann:secret@db/x", "postgresql://db/x"),
    ],
)
def test_a_line_is_told_to_the_letter(
    line: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = ConsoleProgress()
    progress.say(line)
    progress.warn(line)
    assert capsys.readouterr().err == f"{shown}\nWarning: {shown}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["predict", f"no{HOSTILE}model", "a.jpg"],
        ["predict", "--format", HOSTILE, "a", "b"],
        ["audit", f"no{HOSTILE}folder"],
        ["run", "--study", HOSTILE],
        ["register", "--name", HOSTILE],
        [HOSTILE],
        ["compare", "--runs", HOSTILE],
    ],
)
def test_an_error_that_tells_of_a_name_is_one_plain_line(
    words: list[str], tmp_path: Path, launcher: Launcher
) -> None:
    running = launcher.start(Place(tmp_path / "place"), *words)
    assert running.finish() in (1, 2)
    assert {c for c in running.printed if not c.isprintable()} == {"\n"}
    (line,) = (line for line in running.printed.splitlines() if line.startswith("Error: "))
    assert running.printed.endswith(f"{line}\n")


@pytest.mark.parametrize(
    ("entry_point", "parameters"),
    [
        (
            "main",
            {"study": "a; touch pwned", "data": "$(touch pwned)", "register": "`touch pwned`"},
        ),
        pytest.param(
            "evaluate",
            {
                "model": "a' ; touch pwned ; '",
                "data": "b\ntouch pwned\n",
                "output": '"; touch pwned; "',
            },
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "register",
            {"run": "| touch pwned", "name": "`touch pwned`", "data_digest": "&& touch pwned"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "compare",
            {"runs": "a; touch pwned", "output": "$(touch pwned)"},
            marks=pytest.mark.slow,
        ),
        pytest.param("robustness", {"models": "\\'; touch pwned #"}, marks=pytest.mark.slow),
        pytest.param("audit", {"data": "--help; touch pwned"}, marks=pytest.mark.slow),
        pytest.param("fetch", {"data": "${IFS}; touch pwned"}, marks=pytest.mark.slow),
        pytest.param("suite", {"models": "a; touch pwned"}, marks=pytest.mark.slow),
        pytest.param("generalise", {"train": "a\x1b; touch pwned"}, marks=pytest.mark.slow),
    ],
)
def test_mlflow_run_hands_on_what_a_shell_would_act_on(
    entry_point: str, parameters: dict[str, str], tmp_path: Path
) -> None:
    """Refused in one line, where a shell would have made a file."""
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    project = tmp_path / "project"  # where a program that ran would leave its file
    project.mkdir()
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, project)
    given = [word for name, value in parameters.items() for word in ("-P", f"{name}={value}")]
    asked = ("run", str(project), "--env-manager", "local", "-e", entry_point, *given)
    process = run_mlflow(store, tmp_path, *asked)
    assert process.returncode == 1, process.stderr
    (line,) = (line for line in process.stderr.splitlines() if line.startswith("Error: "))
    assert line.isprintable()
    assert "touch pwned" in line
    assert "Traceback" not in process.stderr
    assert list(tmp_path.rglob("pwned")) == []
    assert list(ROOT.glob("pwned")) == []
    assert only_run(store).info.status == "FAILED"
