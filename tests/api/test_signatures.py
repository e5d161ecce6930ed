"""What is public is written down: the page, the stub, and names of the version before."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fakeface_bench
from fakeface_bench import api
from fakeface_bench.api import requests
from fakeface_bench.support.errors import UsageError
from tests.command import ROOT


def script_of(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_page_is_made_of_the_docstrings() -> None:
    """`python docs/api.py` writes it."""
    for name, page in script_of("api").PAGES.items():
        assert page() == (ROOT / "docs" / name).read_text(encoding="utf-8"), name


def test_type_checkers_know_the_names_and_signatures_there_are() -> None:
    """`python docs/stub.py` writes them; what is public moves with this file alone."""
    stub = script_of("stub")
    assert stub.stub() == stub.FILE.read_text(encoding="utf-8")


RIGHT = """
import pandas as pd
import fakeface_bench as fb

study = fb.run_study(model="residual", dropout=[0.1, 0.3], engine="auto")
table: pd.DataFrame = fb.evaluate(model=study.run_id, data=["a", pd.DataFrame()]).table
sets = [table, pd.DataFrame()]
fb.generalise(train=[*sets, sets], test=[*sets, "140k"])
label: str = fb.load_detector("m").predict("a.jpg")["label"][0]
"""
#: A mistake a line, from the third on.
WRONG = """
import fakeface_bench as fb
fb.run_study(model="residual", trials="many")
fb.run_study(model="residual", engine="onnx")
fb.run_study(modle="residual")
"""


def checked(text: str, folder: Path) -> list[tuple[str, str]]:
    """Return line and kind of each error that mypy finds in a user's script."""
    (folder / "script.py").write_text(text)
    checker = [sys.executable, "-m", "mypy", "--follow-imports=silent", "script.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(
        checker, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return re.findall(r"^script\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.M)


@pytest.mark.slow
def test_type_checkers_find_what_is_wrong(tmp_path: Path) -> None:
    assert checked(RIGHT, tmp_path) == []
    assert checked(WRONG, tmp_path) == [
        ("3", "arg-type"),
        ("4", "arg-type"),
        ("5", "call-arg"),
    ]


def test_names_of_the_version_before_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakeface_bench, "FORMER_NAMES", {"run_search": "run_study"})
    with pytest.warns(FutureWarning, match=r"run_search is run_study now; the next version"):
        assert fakeface_bench.run_search is api.run_study
    monkeypatch.setattr(requests, "FORMER_OPTIONS", {"network": "model"})
    with (
        pytest.warns(FutureWarning, match="the option 'network' is 'model' now") as told,
        pytest.raises(UsageError, match="no architecture 'nobody'; there is"),
    ):
        api.run_study(network="nobody", progress=False)
    assert told[0].filename == __file__
    with pytest.raises(UsageError, match="network is the former name of model, which is given too"):
        api.run_study(network="residual", model="residual")
    with pytest.raises(UsageError, match="there is no option 'network'"):
        api.compare(network="residual")
