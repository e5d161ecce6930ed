"""What the documents say holds: commands, links, messages, the reference, and how long they are."""

import ast
import json
import re
import runpy
import shlex
import tomllib
from functools import cache
from pathlib import Path

import click
import pytest
import yaml

from fakeface_bench.cli import cli
from fakeface_bench.evaluation.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fakeface_bench"
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if "frozen" not in path.parts
)
#: Pages that a script writes: as long as what they list.
MADE = {"api.md", "api_results.md"}
ENTRY_POINTS = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]
#: What stands for something of the reader's, and what a command is tried with in its place.
STANDS_FOR = {
    "path/to/faces": ".",
    "FACES": ".",
    "NAME": "name",
    "RUN": "0" * 32,
    "FOLDER": "folder",
}


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def commands() -> list[tuple[str, str]]:
    """Every line of a shell block, and every command within a line, with its page."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```(?:sh|bash)?\n(.*?)^```", text, re.M | re.S)
        lines = [line for block in blocks for line in block.splitlines()]
        lines += re.findall(r"`((?:mlflow run \.|fakeface-bench) [^`]+)`", text)
        for line in lines:
            for part in re.split(r"&&|\|", line):
                words = part.split("#")[0].strip()
                if "--help" in words or page.name == "CHANGELOG.md":
                    continue
                if words.startswith(("mlflow run .", "fakeface-bench ")):
                    found.append((named(page), words))
    return found


@pytest.mark.parametrize(
    ("page", "line"), [each for each in commands() if each[1].startswith("mlflow run")]
)
def test_every_mlflow_command_names_an_entry_point_and_its_parameters(page: str, line: str) -> None:
    words = shlex.split(line.replace("…", "1"))
    entry = words[words.index("-e") + 1] if "-e" in words else "main"
    if entry == "NAME":
        return
    given = [words[n + 1] for n, word in enumerate(words) if word == "-P"]
    parameters = ENTRY_POINTS[entry]["parameters"]
    for each in given:
        name, equals, _ = each.partition("=")
        assert equals, f"{page}: {line}"
        assert name in parameters, f"{page}: {line}"
    needed = {name for name, row in parameters.items() if "default" not in row}
    assert needed <= {each.partition("=")[0] for each in given}, f"{page}: {line}"


@pytest.mark.parametrize(
    ("page", "line"), [each for each in commands() if each[1].startswith("fakeface-bench")]
)
def test_every_command_parses(page: str, line: str) -> None:
    name, *words = shlex.split(line.replace("…", "."))[1:]
    assert name in cli.commands, f"{page}: {line}"
    words = [STANDS_FOR.get(word, word) for word in words]
    command = cli.commands[name]
    needed = [p for p in command.params if isinstance(p, click.Argument) and p.required]
    if not words and needed:
        return  # named in a sentence
    # Below the group, as on a command line: a command keeps the names of help it is first given.
    with cli.make_context("fakeface-bench", [name], resilient_parsing=True) as group:
        command.make_context(name, words, parent=group, resilient_parsing=False).close()


def test_every_command_of_the_suite_stands_in_the_documents() -> None:
    told = {line.split()[1] for _, line in commands() if line.startswith("fakeface-bench")}
    assert set(cli.commands) - told == set()
    entries = {line.split("-e ")[1].split()[0] for _, line in commands() if " -e " in line}
    assert ENTRY_POINTS.keys() - {"main"} <= entries


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)", text):
        other = (page.parent / target) if target else page
        assert other.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(other), f"{page.name} links to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Headings as GitHub addresses them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_page_is_too_long_to_be_read() -> None:
    lengths = {named(page): len(page.read_text(encoding="utf-8").splitlines()) for page in PAGES}
    assert lengths["README.md"] <= 150
    assert {name: n for name, n in lengths.items() if n > 300 and Path(name).name not in MADE} == {}


def test_every_page_is_linked_from_readme_or_a_page_that_is() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        seen.add(page)
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
            found = (page.parent / target).resolve()
            if found.suffix == ".md" and found not in seen:
                todo.append(found)
    assert {named(page) for page in PAGES} - {named(page) for page in seen} == set()


def test_every_picture_is_shown_and_described() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = dict(re.findall(r"!\[([^\]]*)\]\([^)]*?([\w.-]+\.png)\)", text))
    assert all(len(alt) > 20 for alt in shown)
    assert {path.name for path in (ROOT / "docs/images").iterdir()} == set(shown.values())


def test_the_reference_is_made_of_the_tables() -> None:
    """`python docs/reference.py` writes it."""
    made = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    for name, page in made["PAGES"].items():
        written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == page() + made["MADE"], name


def test_every_file_and_tag_of_a_run_is_described() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    for name in made["FILES"]:
        frozen = json.loads((ROOT / f"tests/frozen/runs/{name}.json").read_text())
        run = frozen.get("run", frozen)
        plain = {file for file in run["artifacts"] if not file.endswith((".png", ".jpg"))}
        assert plain <= set(made["HOLDS"]), name
    names = (PACKAGE / "tracking" / "names.py").read_text()
    known = {f"fakeface.{tag}" for tag in re.findall(r'\{PREFIX\}\.(\w+)"', names)}
    assert set(made["TAGS"]) <= known


def test_every_metric_has_a_formula() -> None:
    assert [key for key, row in METRICS.items() if not row.formula] == []


@cache
def texts_of_the_package() -> str:
    """All text that the package holds, parts of one string joined."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
                found.append("".join(map(str, parts)))
    return "\n".join(found)


def messages() -> list[str]:
    page = (ROOT / "docs/faq.md").read_text(encoding="utf-8")
    rows = page.split("| it says | do |")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", rows, re.M)


@pytest.mark.parametrize("message", messages())
def test_messages_that_are_explained_are_said(message: str) -> None:
    assert message in texts_of_the_package()


def test_who_cites_or_builds_it_is_told_the_truth() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1]["run"] == ".ci/run"
    for form in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        assert yaml.safe_load(form.read_text())
    asked = (ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text()
    assert "fakeface-bench doctor" in asked
