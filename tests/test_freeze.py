"""What users see does not move by accident: reports, help, entry points, and names on disk.

`tests/frozen` holds what there was. `FREEZE=renew pytest tests/test_freeze.py` writes it again.
`FREEZE_TO=folder pytest tests/test_freeze.py` writes all reports there, as they are and as the text
that is digested, so that `diff -r` shows what moved between two commits.

Names in MLflow are frozen by the tests that run the jobs: `test_end_to_end.py`,
`test_transfer_jobs.py`, `test_robustness_job.py`, `test_compare_job.py`, `test_suite.py`,
`test_audit_job.py`, `test_equalise.py` and `serving/test_register.py`.
"""

import os
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from fakeface_bench.cli import cli
from tests.freeze import disk_names
from tests.freeze.digests import DRAWN_WITH, digested
from tests.freeze.frozen import assert_frozen, assert_frozen_text
from tests.freeze.reports import REPORTS

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = "fakeface-bench"
#: Of the terminal that help is shown on.
WIDTH = 100
#: Where reports are written out to be compared; resolved now, for a test works elsewhere.
WRITE_TO = os.environ.get("FREEZE_TO") and Path(os.environ["FREEZE_TO"]).resolve()
_HOW_TO_COMPARE = (
    "To see what moved, write both out and compare them: FREEZE_TO=../now pytest "
    "tests/test_freeze.py here, FREEZE_TO=../before in a worktree of the commit before, then "
    "diff -r ../before ../now."
)


@pytest.mark.parametrize("name", REPORTS)
def test_reports_are_what_they_were(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    folder = tmp_path / "report"
    folder.mkdir()
    REPORTS[name](folder)
    files: dict[str, str] = {}
    pixels: dict[str, str] = {}
    for file, of in digested(folder):
        files |= of.files
        pixels |= of.pixels
        _write_out(name, folder / file, file, of.text)
    assert_frozen(f"reports/{name}", files, _HOW_TO_COMPARE)
    if pixels:
        assert_frozen(f"pixels/{name}", pixels, _HOW_TO_COMPARE, made_with=DRAWN_WITH)


def _write_out(report: str, path: Path, file: str, text: str) -> None:
    """Keep a file, and what of it is digested, where somebody wants to compare two commits."""
    if not WRITE_TO:
        return
    kept = WRITE_TO / "files" / report / file
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, kept)
    if text:
        digest_of = WRITE_TO / "digested" / report / f"{file}.txt"
        digest_of.parent.mkdir(parents=True, exist_ok=True)
        digest_of.write_text(text, encoding="utf-8", errors="surrogatepass")


def test_help_is_what_it_was(tmp_path: Path) -> None:
    """Without weights in any cache."""
    runner = CliRunner()
    caches = {name: str(tmp_path) for name in ("KERAS_HOME", "KAGGLEHUB_CACHE")}
    environment = {"COLUMNS": str(WIDTH), **caches}
    description = []
    for words in ([], *([name] for name in sorted(cli.commands))):
        asked = [*words, "--help"]
        shown = runner.invoke(cli, asked, prog_name=SCRIPT, terminal_width=WIDTH)
        assert shown.exit_code == 0, shown.output
        description.append(f"$ {' '.join([SCRIPT, *asked])}\n{shown.output}")
    for words in (["list"], ["datasets"]):
        shown = runner.invoke(cli, words, env=environment)
        assert shown.exit_code == 0, shown.output
        description.append(f"$ {' '.join([SCRIPT, *words])}\n{shown.output}")
    assert_frozen_text("help.txt", "\n".join(description))


def test_options_are_what_they_were() -> None:
    options = {
        f"{name} {option.name}": (
            f"{' '.join((*option.opts, *option.secondary_opts))}: {option.type.name}, "
            f"{'needed' if option.required else repr(option.to_info_dict()['default'])}"
        )
        for name, command in cli.commands.items()
        for option in command.params
    }
    assert_frozen("options", options)


def test_entry_points_are_what_they_were() -> None:
    project = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))
    with open(ROOT / "pyproject.toml", "rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    assert_frozen("entry_points", {"MLproject": project, "scripts": scripts})


def test_names_on_disk_are_what_they_were(
    tiny_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def empty_cache(name: str) -> Path:
        monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / name))
        return tmp_path / name

    network = disk_names.Network()
    index, names, with_versions = disk_names.prepared(tiny_faces, empty_cache("dataset"))
    names |= disk_names.small_caches(empty_cache("small"), monkeypatch)
    names |= network.features()
    names["places"] = disk_names.places(empty_cache("places"), monkeypatch)
    names["unsent entries"] = disk_names.entries()
    names["studies"] = disk_names.study_names(index, str(tiny_faces))
    assert_frozen("names_on_disk", names)
    with_versions |= network.checkpoints()
    with_versions |= dict(disk_names.cached_of_pictures(empty_cache("pictures")))
    with_versions["facts of files"] = disk_names.facts_file(empty_cache("facts"))
    assert_frozen("names_with_versions", with_versions, made_with=disk_names.LIBRARIES)
