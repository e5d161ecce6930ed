"""MLproject, the command line, conda.yaml and README say the same, and what README says runs."""

import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks.coverage import CLAIMS, table
from fakeface_bench.api.progress import ConsoleProgress
from fakeface_bench.cli import cli
from fakeface_bench.cli.options import command
from fakeface_bench.config import (
    AuditConfig,
    CompareConfig,
    EvaluateConfig,
    GeneraliseConfig,
    PublishConfig,
    RegisterConfig,
    RobustnessConfig,
    StudyConfig,
    SuiteConfig,
    VerifyConfig,
    option,
)
from fakeface_bench.resolve import Checked
from fakeface_bench.tracking.logged_model import _REQUIREMENTS
from fakeface_bench.tracking.store import ui_command

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PROJECT = yaml.safe_load((ROOT / "MLproject").read_text())
ENTRY_POINTS = PROJECT["entry_points"]
#: The command that each entry point starts.
COMMANDS = {name: "run" if name == "main" else name for name in ENTRY_POINTS}
#: What each asks; `fetch` has no request.
REQUESTS = {
    "main": StudyConfig,
    "suite": SuiteConfig,
    "compare": CompareConfig,
    "publish": PublishConfig,
    "verify": VerifyConfig,
    "register": RegisterConfig,
    "evaluate": EvaluateConfig,
    "generalise": GeneraliseConfig,
    "robustness": RobustnessConfig,
    "audit": AuditConfig,
}


def defaults(entry_point: str) -> dict[str, object]:
    """Return the parameters of an entry point; one without a default must be given."""
    parameters = ENTRY_POINTS[entry_point]["parameters"]
    return {name: row.get("default", "required") for name, row in parameters.items()}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_mlproject_and_click_have_the_same_parameters_and_defaults(name: str) -> None:
    command = cli.commands[COMMANDS[name]]
    assert defaults(name) == {
        param.name: "required" if param.required else param.default for param in command.params
    }


def test_every_entry_point_but_fetch_has_a_request() -> None:
    assert ENTRY_POINTS.keys() - REQUESTS.keys() == {"fetch"}


@pytest.mark.parametrize("name", REQUESTS)
def test_mlproject_has_the_fields_of_the_request(name: str) -> None:
    request, rows = REQUESTS[name], ENTRY_POINTS[name]["parameters"]
    assert list(rows) == list(request.options())
    needed = {key: "required" for key, asked in request.options().items() if asked.required}
    assert defaults(name) == request(**needed).as_params()
    assert {key: row["type"] for key, row in rows.items()} == {
        key: "float" if asked.kind in (int, float) else "string"
        for key, asked in request.options().items()
    }


@dataclass(frozen=True, slots=True)
class SharperConfig(AuditConfig):
    """A copy of a request, with one field more."""

    sharpness: int = option(3, "How sharp a picture must be.", 1, 9)


def test_a_field_is_all_that_an_option_takes() -> None:
    arrived: list[SharperConfig] = []

    @command(SharperConfig)
    def sharper(asked: Checked[SharperConfig], progress: ConsoleProgress) -> None:
        """Audit, and look at sharpness."""
        arrived.append(asked.request)

    shown = " ".join(CliRunner().invoke(sharper, ["--help"]).output.split())
    assert "--sharpness INTEGER RANGE How sharp a picture must be. [default: 3; 1<=x<=9]" in shown
    for words, params in (
        ([], {}),
        (["synthetic", "--sharpness", "7", "--seed", "2"], {"sharpness": 7, "seed": 2}),
    ):
        ended = CliRunner().invoke(sharper, words)
        assert ended.exit_code == 0, ended.output
        assert arrived.pop().as_params() == AuditConfig().as_params() | {"sharpness": 3} | params
    refused = CliRunner().invoke(sharper, ["--sharpness", "10"])
    assert refused.exit_code == 2
    assert "'--sharpness': 10 is not in the range 1<=x<=9." in refused.output
    assert not arrived


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_mlproject_passes_each_parameter_in_its_own_place(name: str) -> None:
    entry, command = ENTRY_POINTS[name], cli.commands[COMMANDS[name]]
    words = [f"python -m fakeface_bench {COMMANDS[name]}"]
    for param in command.params:
        option = (
            f"--{str(param.name).replace('_', '-')} " if isinstance(param, click.Option) else ""
        )
        words.append(f"{option}{{{param.name}}}")
    assert entry["command"].split() == " ".join(words).split()


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_readme_names_every_entry_point(name: str) -> None:
    assert name == "main" or f"-e {name}" in README


def test_the_table_of_claims_is_what_was_simulated() -> None:
    found = json.loads((ROOT / "benchmarks/results/coverage.json").read_text(encoding="utf-8"))
    rows = {claim["claim"]: len(claim["rows"]) for claim in found["claims"]}
    assert rows == {claim.title: len(claim.cells) for claim in CLAIMS}
    assert table(found["claims"]) in (ROOT / "docs/method.md").read_text(encoding="utf-8")


def test_conda_pins_what_pyproject_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # Networks of keras-hub, and clusters, are there for `mlflow run`; with pip one asks for them.
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["foundation"], *extras["cluster"]]
    bounds = {Requirement(line).name: Requirement(line) for line in wanted}
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())["dependencies"]
    pins = {Requirement(line).name: Requirement(line) for line in conda[-1]["pip"]}
    assert pins.keys() == bounds.keys()
    for name, pin in pins.items():
        (only,) = pin.specifier
        assert only.operator == "=="
        assert Version(only.version) in bounds[name].specifier, name
    assert conda[0] == "python=3.11"


def test_there_is_one_set_of_versions_for_what_a_logged_model_is_made_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())["dependencies"][-1]["pip"]
    for name in _REQUIREMENTS:
        pinned = f"{name}=={version(name)}"
        assert pinned in project["dependencies"], "this environment is of other versions"
        assert pinned in conda


@pytest.mark.parametrize("name", [None, *cli.commands])
def test_help_of_every_command_opens(name: str | None) -> None:
    words = [sys.executable, "-m", "fakeface_bench", *([name] if name else []), "--help"]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.startswith("Usage:")


def test_whoever_names_mlflows_ui_gives_the_address_of_the_training_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert re.search(r"^mlflow ui$\n```\n\n.*<.*/runs\?workflowType=machine_", README, re.M)
    for uri in ("sqlite:///mlflow.db", "http://127.0.0.1:5000"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert ui_command("3", "a1")[1].endswith("3/runs/a1?workflowType=machine_learning")


def test_the_drawing_of_the_rooms_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = runpy.run_path(str(ROOT / "docs" / "rooms.py"))
    assert page == drawn["renewed"](page), "python docs/rooms.py draws them again"


def test_every_benchmark_can_be_imported() -> None:
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
    code = "".join(f"import benchmarks.{name}\n" for name in names)
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
