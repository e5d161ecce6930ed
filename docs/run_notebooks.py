"""Make the notebooks of `docs/notebooks` from the scripts beside them, run them, keep the outputs.

    python docs/run_notebooks.py [NAME ...]

Each runs in a folder, a store and a cache of its own, in a new kernel, from top to bottom.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
#: What the folder of a run is called where an output names it.
_SHOWN_AS = "~/fakeface"
_MOST_SECONDS_A_CELL = 600
#: Lines of TensorFlow's C++ code.
_LOGGED = re.compile(
    r"^(WARNING: All log messages before absl|[IWEF]\d{4} |To enable the following).*\n?",
    re.MULTILINE,
)


def scripts() -> dict[str, Path]:
    """Return the notebooks' scripts by name."""
    return {script.stem: script for script in sorted(FOLDER.glob("*.py"))}


def notebook_of(script: Path) -> nbformat.NotebookNode:
    """Return a script's notebook, without outputs: the same each time."""
    notebook = jupytext.read(script)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", nbformat.from_dict({})
    return notebook


def run(script: Path, folder: Path) -> nbformat.NotebookNode:
    """Run a script's notebook in an empty folder; return it with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell raises.
    """
    notebook = notebook_of(script)
    client = NotebookClient(
        notebook,
        timeout=_MOST_SECONDS_A_CELL,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    own = {
        "FAKEFACE_CACHE": str(folder / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    client.execute(env=os.environ | own)
    notebook.metadata.pop("language_info", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in map(_without_logs, cell.outputs) if each]
    return notebook


def _without_logs(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Return an output without what TensorFlow's C++ code logs when Keras is imported, if any."""
    if output.get("name") != "stderr":
        return output
    output.text = _LOGGED.sub("", output.text)
    return output if output.text.strip() else None


def main(names: list[str]) -> None:
    """Run the notebooks of these names, or all, and write them."""
    known = scripts()
    for name in names or known:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            notebook = run(known[name], Path(folder))
            seconds = time.monotonic() - began
            text = nbformat.writes(notebook).replace(folder, _SHOWN_AS)
        target = FOLDER / f"{name}.ipynb"
        target.write_text(text + "\n", encoding="utf-8")
        print(f"{target.relative_to(ROOT)}: {seconds:.0f} s, {len(text) / 1e3:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
