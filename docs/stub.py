"""Writes fakeface_bench/__init__.pyi: what type checkers and editors know of the interface.

The functions take options by the names of a command, which Python knows when it runs and a type
checker does not; here each has them written out, with what it may be.

    python docs/stub.py
"""

import inspect
import re
import subprocess
import sys
from pathlib import Path
from textwrap import indent
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

FILE = ROOT / "fakeface_bench" / "__init__.pyi"
HEAD = '''"""Made by `python docs/stub.py`."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from fakeface_bench.api.callbacks import Callback
from fakeface_bench.api.detector import Detector
from fakeface_bench.api.results import (
    Audit,
    Comparison,
    Evaluation,
    Matrix,
    Robustness,
    Study,
    Verification,
)
from fakeface_bench.records.registration import Registration
{errors}
from fakeface_bench.support.progress import Progress

__all__ = {names}

#: An option that is text; several values are a list, numbers are numbers.
_Text = str | float | os.PathLike[str] | Sequence[str | float | os.PathLike[str]]

FORMER_NAMES: dict[str, str]
PROCESS_BEGAN: float
__version__: str
'''
#: Options in which pictures or networks in memory are taken too.
_DATA = "_Text | pd.DataFrame | Sequence[Any]"
_KINDS: dict[Any, str] = {int: "int", float: "float", bool: "bool"}


def stub() -> str:
    """Return the stub as Python."""
    from fakeface_bench import api
    from fakeface_bench.support import errors as known

    raised = [name for name in api.__all__ if hasattr(known, name)]
    imports = "".join(f"    {name},\n" for name in raised)
    names = "[\n" + "".join(f'    "{name}",\n' for name in api.__all__) + "]"
    errors = f"from fakeface_bench.support.errors import (\n{imports})"
    head = HEAD.format(errors=errors, names=names)
    functions = [name for name in api.__all__ if inspect.isfunction(getattr(api, name))]
    written = "\n".join([head, *(_function(name, getattr(api, name)) for name in functions)])
    formatter = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(FILE), "-"]
    return subprocess.run(
        formatter, input=written, capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


def _function(name: str, function: Any) -> str:
    kind = getattr(function, "__options__", None)
    options = kind.options() if kind else {}
    lines, starred = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            lines.append("*")
            starred = True
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        lines.append(f"{parameter.name}: {_kind(parameter, options.get(parameter.name))}{default}")
    listed = "".join(f"    {line},\n" for line in lines)
    returned = _named(inspect.signature(function).return_annotation)
    takes = f"(\n{listed})" if lines else "()"
    told = indent(f'"""{inspect.getdoc(function)}\n"""', "    ")
    return f"def {name}{takes} -> {returned}:\n{told}\n"


def _kind(parameter: inspect.Parameter, option: Any) -> str:
    if option is None:
        return _named(parameter.annotation)
    if parameter.annotation is Any:
        return "Any" if parameter.name in ("model", "models") else _DATA
    if option.choices:
        return f"Literal[{', '.join(map(repr, option.choices))}]"
    return _KINDS.get(option.kind, "_Text")


def _named(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(collections\.abc|typing|fakeface_bench(\.\w+)*)\.|'", "", text)


if __name__ == "__main__":
    FILE.write_text(stub(), encoding="utf-8")
