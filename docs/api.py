"""Writes the reference of the Python interface from signatures and docstrings.

docs/api.md has the functions, docs/api_results.md what they return.

python docs/api.py
"""

import inspect
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

#: Of an example that needs a study, or files.
SKIPPED = "  # doctest: +SKIP"
FOLDER = ROOT / "docs"
HEAD = """# Python interface

`import fakeface_bench` offers what the command line does, as functions that return tables and \
figures; it takes some milliseconds, and what a function needs is imported when it is called. \
Errors are the package's, with the line of the command line; all are a `FakefaceError`.

A function leaves the process as it was: environment, random numbers of Python and NumPy, levels \
of loggers, filters of warnings, Keras's and Optuna's settings. TensorFlow's own cannot be put \
back: its operations stay deterministic, its seed is 0, Keras stays on TensorFlow. In an active \
`mlflow.start_run()` a study is that run's child. Calls in several threads take turns. An \
interrupted study goes on when it is called again. In a notebook a cell shows one bar and what is \
done, in a script a line every ten seconds; `progress=False` shows nothing, and what a reader must \
not miss is a warning of Python's.

This page is made from the docstrings by `python docs/api.py`; examples that need neither a study \
nor files are run as tests. Names and signatures are public: what is to go is deprecated for one \
version first. [What functions return](api_results.md) has a page of its own.
"""
RESULTS_HEAD = """# What the functions return

Of the [Python interface](api.md). In a notebook each shows a card.
"""


def functions_page() -> str:
    """Return the page of the functions as Markdown."""
    from fakeface_bench import api

    functions = [name for name in api.__all__ if inspect.isfunction(getattr(api, name))]
    described = [_function(name, getattr(api, name)) for name in functions]
    return "\n".join([HEAD, "## Functions\n", *described])


def results_page() -> str:
    """Return the page of what they return as Markdown."""
    from fakeface_bench import api
    from fakeface_bench.api import results

    classes: list[tuple[str, Any]] = [
        (name, getattr(results, name))
        for name in (
            *("Study", "Comparison", "Matrix", "Evaluation", "Robustness", "Audit", "Verification"),
            "Detector",
        )
    ]
    parts = [RESULTS_HEAD, *(_class(name, kind) for name, kind in classes)]
    parts.append(_class("Callback", api.Callback))
    return "\n".join(parts)


#: The command of each function whose options are the command's.
COMMANDS = {
    "audit": "audit",
    "compare": "compare",
    "evaluate": "evaluate",
    "explain": "explain",
    "generalise": "generalise",
    "publish": "publish",
    "register": "register",
    "robustness": "robustness",
    "run_study": "run",
    "run_suite": "suite",
    "verify": "verify",
}


def _function(name: str, function: Any) -> str:
    own = getattr(function, "__wrapped__", function)
    shown = _signature(name, own)
    options = ""
    if command := COMMANDS.get(name):
        options = (
            f"\n`options`: those of `fakeface-bench {command}`, by the same names and defaults "
            f"(`help({name})` tells each); several values as a list, numbers as numbers.\n"
        )
    return f"### `{name}`\n\n```python\n{shown}\n```\n\n{_docs(own)}\n{options}"


def _signature(name: str, function: Any) -> str:
    parameters = inspect.signature(function).parameters.values()
    shown, starred = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        if parameter.kind is parameter.VAR_KEYWORD:
            shown.append(f"**{parameter.name}")
        elif parameter.default is parameter.empty:
            shown += [parameter.name] * (parameter.name != "self")
        else:
            shown.append(f"{parameter.name}={parameter.default!r}")
    lines = f"{name}({', '.join(shown)})"
    if len(lines) <= 88:
        return lines
    return f"{name}(\n" + "".join(f"    {each},\n" for each in shown) + ")"


def _docs(of: Any) -> str:
    """Return a docstring: prose as it is, arguments as a list, what follows in a line each."""
    text = inspect.getdoc(of) or ""
    blocks = []
    for block in text.split("\n\n"):
        heading, _, body = block.partition("\n")
        if not heading.endswith(":") or not body.startswith("    "):
            blocks.append(block)
        elif heading == "Example:":
            example = inspect.cleandoc(body).replace(SKIPPED, "")
            blocks.append(f"```python\n{example}\n```")
        elif heading in ("Args:", "Attributes:"):
            told = [f"- `{name}`: {words}" for name, words in _named(body) if name != "**options"]
            blocks += ["\n".join(told)] * bool(told)
        elif heading == "Raises:":
            blocks.append(
                "Raises "
                + "; ".join(f"`{name}`: {w[:1].lower()}{w[1:]}" for name, w in _named(body))
            )
        else:
            blocks.append(f"{heading[:-1]}: {' '.join(body.split())}")
    return "\n\n".join(blocks)


def _named(body: str) -> list[tuple[str, str]]:
    """Return the names of a block, each with what is said of it on one line."""
    found: list[list[str]] = []
    for line in inspect.cleandoc(body).splitlines():
        if line.startswith(" ") and found:
            found[-1][1] += f" {line.strip()}"
        else:
            name, _, words = line.partition(":")
            found.append([name, words.strip()])
    return [(name, words) for name, words in found]


def _class(name: str, kind: Any) -> str:
    parts = [f"## `{name}`\n\n{_docs(kind)}\n"]
    for key in dir(kind):
        if key.startswith("_") or key == "read":
            continue
        member = inspect.getattr_static(kind, key)
        if inspect.isfunction(member):
            parts.append(f"- `{_signature(key, member)}`: {_first_line(member)}")
        elif isinstance(member, property) or hasattr(member, "func"):
            parts.append(f"- `{key}`: {_first_line(getattr(member, 'func', member))}")
    return "\n".join(parts) + "\n"


def _first_line(of: Any) -> str:
    return (inspect.getdoc(of) or "").partition("\n\n")[0].replace("\n", " ")


PAGES = {"api.md": functions_page, "api_results.md": results_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
