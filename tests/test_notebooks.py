"""The notebooks of docs/notebooks: each is its script, shipped with what it shows, and runs."""

import re
import sys
import time
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

import run_notebooks

SCRIPTS = run_notebooks.scripts()
#: As each notebook's first cell says of a laptop; on a machine of 2 cores.
MOST_SECONDS = 300

#: How a path from the root of any machine begins, in text, in quotes or after a bracket.
ABSOLUTE = re.compile(r"(?<![\w:.~<+/-])/[A-Za-z][\w.-]*/")

each = pytest.mark.parametrize("name", SCRIPTS)


def shipped(name: str) -> nbformat.NotebookNode:
    return nbformat.read(run_notebooks.FOLDER / f"{name}.ipynb", nbformat.NO_CONVERT)


def code_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_no_others() -> None:
    notebooks = {file.stem for file in run_notebooks.FOLDER.glob("*.ipynb")}
    assert notebooks == set(SCRIPTS)
    assert len(SCRIPTS) == 4


@each
def test_a_notebook_is_its_script(name: str) -> None:
    made, kept = run_notebooks.notebook_of(SCRIPTS[name]), shipped(name)
    nbformat.validate(kept)
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == [
        (cell.cell_type, cell.source) for cell in made.cells
    ], f"run python docs/run_notebooks.py {name}"
    assert "What it takes" in kept.cells[0].source


@each
def test_it_is_shipped_with_what_it_shows(name: str) -> None:
    cells = code_of(shipped(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    kinds = {output.output_type for output in outputs}
    assert kinds <= {"display_data", "execute_result", "stream"}
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    shown = [kind for output in outputs for kind in output.get("data", {})]
    assert "text/html" in shown
    assert "image/png" in shown or name == "leave_one_generator_out"


@each
def test_it_names_no_machine(name: str) -> None:
    text = (run_notebooks.FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    for path in ("/tmp/", "/home/", "/root", "site-packages", "Traceback"):
        assert path not in text
    assert ABSOLUTE.findall("<p>a/b</p> models:/a/1 at=/srv/x '/mnt/faces/a.jpg'") == [
        "/srv/",
        "/mnt/",
    ]
    assert ABSOLUTE.findall(text) == []
    assert len(text) < 1_000_000


@pytest.mark.slow
@each
def test_it_runs_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    began = time.monotonic()
    ran = run_notebooks.run(SCRIPTS[name], tmp_path)
    assert time.monotonic() - began < MOST_SECONDS
    now, kept = code_of(ran), code_of(shipped(name))
    assert [[o.output_type for o in cell.outputs] for cell in now] == [
        [o.output_type for o in cell.outputs] for cell in kept
    ]
