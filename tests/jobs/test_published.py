"""What is published of real studies: whole, without anything private, and found out if changed."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import fakeface_bench
from fakeface_bench.analysis.results import results_of
from fakeface_bench.cli import cli
from fakeface_bench.config import CompareConfig, PublishConfig, VerifyConfig
from fakeface_bench.jobs.compare import run_comparison
from fakeface_bench.jobs.publish import publish
from fakeface_bench.jobs.trained_model import open_trained
from fakeface_bench.jobs.verify import _asked_again, verify
from fakeface_bench.records.publication import DIFFERS, EQUAL, STATED, Verification
from fakeface_bench.report.publication import read_published_study, write_sums
from fakeface_bench.report.publication_page import write_publication_page
from fakeface_bench.support.errors import DataError, UsageError
from tests.conftest import RecordedProgress
from tests.report.test_accessibility import faults_of
from tests.workplace import Workplace, quicken, workplace

#: What scores cannot tell: how long, how much, how many, and what was chosen on validation.
NOT_OF_SCORES = ("data/", "calibration/", "explain/")


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path, session_cache: Path
) -> Workplace:
    """Where studies are run, one of two seeds, and compared."""
    made = workplace(tmp_path_factory.mktemp("published"), tiny_faces, session_cache)
    made.config = replace(made.config, model="residual", weights="auto", trials=2, epochs=1)
    return made


@pytest.fixture(scope="module")
def run_id(place: Workplace) -> str:
    return place.run(seeds=2)[0].run_id


@pytest.fixture(scope="module")
def compared(place: Workplace, run_id: str) -> str:
    search = replace(place.config.search, classifier="logistic_regression")
    place.run(search=search)
    with place.here() as patch:
        quicken(patch)
        return run_comparison(CompareConfig(output=""), RecordedProgress()).run_id


@pytest.fixture(scope="module")
def shared(place: Workplace, run_id: str) -> Path:
    """The first study, published with its model; nothing may change it."""
    with place.here():
        return published(run_id, place.folder / "shared", with_model=True)


@pytest.fixture
def here(place: Workplace) -> Iterator[None]:
    with place.here() as patch:
        quicken(patch)
        yield


@pytest.fixture
def mine(shared: Path, tmp_path: Path) -> Path:
    """A copy of it, to do harm to."""
    return Path(shutil.copytree(shared, tmp_path / "mine"))


def published(run: str, folder: Path, **options: bool) -> Path:
    return publish(PublishConfig(run=run, folder=str(folder), **options), RecordedProgress())


def check(folder: Path, **options: object) -> Verification:
    return verify(VerifyConfig(folder=str(folder), **options), RecordedProgress())  # type: ignore[arg-type]


def names_of(found: Verification, outcome: str) -> set[str]:
    return {each.name for each in found.with_outcome(outcome)}


def test_everything_follows_from_the_scores(shared: Path) -> None:
    found = check(shared)
    assert found.passed
    assert found.notes == ()
    metrics = json.loads((shared / "metrics.json").read_text())
    told = {name for name in metrics if name.startswith(("test", "val", "baseline", "search"))}
    assert {"test/roc_auc_mean", "test/roc_auc_std", "search/gain_roc_auc_low"} <= told
    assert told <= names_of(found, EQUAL)
    stated = names_of(found, STATED) - {"threshold of seed 1"}
    assert all(name.startswith(NOT_OF_SCORES) for name in stated)


def test_it_is_small_and_stands_alone(shared: Path) -> None:
    files = {path.relative_to(shared).as_posix(): path for path in shared.rglob("*")}
    sizes = [p.stat().st_size for n, p in files.items() if p.is_file() and "model/" not in n]
    assert sum(sizes) < 1_000_000
    assert {"report.html", "README.md", "SHA256SUMS", "environment.txt", "model/MLmodel"} <= set(
        files
    )
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=shared, check=True)
    assert "numpy==" in files["environment.txt"].read_text()


def test_nothing_private_is_in_it(place: Workplace, shared: Path, tiny_faces: Path) -> None:
    pictures = {path.name for path in tiny_faces.rglob("*.png")} | {
        path.name for path in tiny_faces.rglob("*.jpg")
    }
    assert pictures
    for path in shared.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        for private in (place.folder, tiny_faces, Path.home(), "/tmp/", "mlflow.db"):
            assert str(private).encode() not in content, (path, private)
        assert path.suffix not in (".png", ".jpg")
    scores = pd.read_parquet(shared / "test_scores.parquet")
    assert not pictures & set(scores.astype(str).to_numpy().ravel())
    assert scores["digest"].str.fullmatch("[0-9a-f]{32}").all()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_page_can_be_read_by_everybody(shared: Path, browser: Any, scheme: str) -> None:
    assert list(faults_of(browser, shared / "report.html", scheme)) == []


@pytest.mark.usefixtures("here")
def test_a_flipped_score_is_found_whatever_the_sums_say(mine: Path) -> None:
    file = mine / "test_scores.parquet"
    rows = pd.read_parquet(file)
    rows.loc[0, "y_score"] = 1 - rows.loc[0, "y_score"]
    rows.to_parquet(file)
    found = check(mine)
    assert {"test_scores.parquet", "test/brier"} <= names_of(found, DIFFERS)
    write_sums(mine)
    found = check(mine)
    assert "test_scores.parquet" not in names_of(found, DIFFERS)
    assert {"test/brier", "test/brier_mean"} <= names_of(found, DIFFERS)
    assert not names_of(found, DIFFERS) & {"val/brier", "baseline/brier"}


def _metric(folder: Path) -> str:
    file = folder / "metrics.json"
    metrics = json.loads(file.read_text())
    metrics["test/roc_auc"] += 0.001
    file.write_text(json.dumps(metrics))
    return "test/roc_auc"


def _interval(folder: Path) -> str:
    table = pd.read_csv(folder / "results.csv", index_col="metric")
    table.loc["roc_auc", "test_low_95"] += 0.001
    table.to_csv(folder / "results.csv")
    return "results.csv: roc_auc, test_low_95"


def _seconds(folder: Path) -> str:
    file = folder / "cost_ledger.json"
    ledger = json.loads(file.read_text())
    ledger["stages"][2]["spent_seconds"] = 0.0
    file.write_text(json.dumps(ledger))
    return "cost/total_cold_seconds"


def _label(folder: Path) -> str:
    rows = pd.read_parquet(folder / "valid_scores.parquet")
    rows.loc[1, "y_true"] = 1 - rows.loc[1, "y_true"]
    rows.to_parquet(folder / "valid_scores.parquet")
    return "val/log_loss"


def _missing(folder: Path) -> str:
    (folder / "trials.csv").unlink()
    return "trials.csv"


def _added(folder: Path) -> str:
    (folder / "more.csv").write_text("a")
    return "more.csv"


@pytest.mark.parametrize("harm", [_metric, _interval, _seconds, _label, _missing, _added])
def test_what_was_changed_is_named(harm: Callable[[Path], str], mine: Path) -> None:
    name = harm(mine)
    found = check(mine, output=str(mine.parent / "checks.csv"))
    assert name in names_of(found, DIFFERS)
    table = pd.read_csv(mine.parent / "checks.csv")
    assert name in set(table.loc[table["outcome"] == DIFFERS, "name"])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("test_scores.parquet", b"PAR1 not at all"),
        ("metrics.json", b"{"),
        ("study.json", b"[]"),
        ("cost_ledger.json", b"{}"),
        ("results.csv", b"\xff\xfe\x00"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(file: str, content: bytes, mine: Path) -> None:
    (mine / file).write_bytes(content)
    found = check(mine)
    (only,) = found.with_outcome(DIFFERS)
    assert file in str(only.found) or "do not fit together" in str(only.found)


def _piped(folder: Path) -> None:
    (folder / "metrics.json").unlink()
    os.mkfifo(folder / "metrics.json")


def _linked(folder: Path) -> None:
    (folder / "metrics.json").unlink()
    (folder / "metrics.json").symlink_to("/etc/hostname")


@pytest.mark.parametrize("harm", [_piped, _linked])
def test_what_is_no_file_is_not_read(harm: Callable[[Path], None], mine: Path) -> None:
    harm(mine)
    (only,) = check(mine).checks
    assert "metrics.json is a link or a device" in str(only.found)


def _edit(file: str, **changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def _deep(folder: Path) -> None:
    (folder / "study.json").write_text("[" * 200_000)


MISFITS = {
    "params that are a list": _edit("publication.json", params=[]),
    "params that are numbers": _edit("publication.json", params={"limit": 3}),
    "a run that is none": _edit("publication.json", run_id=["a"]),
    "no epochs": _edit("study.json", epochs=[]),
    "a band of words": _edit("study.json", unsure=["a", "b"]),
    "thresholds of words": _edit("study.json", thresholds={"0": "x", "1": "y"}),
    "thresholds that are none": _edit("study.json", thresholds={"0": "nan", "1": 0.5}),
    "many trials": _edit("study.json", trials="many"),
    "stages of words": _edit("cost_ledger.json", stages=[{"stage": "x", "spent_seconds": "x"}]),
    "no figures": _edit("cost_ledger.json", figures=None),
    "a number without end": _edit("metrics.json", **{"test/roc_auc": 10**400}),
    "too deep": _deep,
    "a comparison without margin": _edit("publication.json", kind="comparison", studies=["a" * 32]),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("what", MISFITS)
def test_no_value_makes_it_fall_over(what: str, mine: Path) -> None:
    MISFITS[what](mine)
    write_sums(mine)
    found = check(mine)
    assert not found.passed
    with pytest.raises(UsageError, match="cannot be compared"):
        run_comparison(CompareConfig(published=str(mine), output=""), RecordedProgress())


@pytest.mark.parametrize("value", [1.5, float("nan"), -0.1])
def test_scores_that_are_none_are_refused(value: float, mine: Path) -> None:
    rows = pd.read_parquet(mine / "test_scores.parquet")
    rows.loc[0, "y_score"] = value
    rows.to_parquet(mine / "test_scores.parquet")
    assert any("no probabilities" in str(each.found) for each in check(mine).checks)


def test_other_versions_are_told_and_checked_all_the_same(mine: Path) -> None:
    file = mine / "publication.json"
    manifest = json.loads(file.read_text())
    manifest["params"]["version_keras"] = "2.4.0"
    file.write_text(json.dumps(manifest))
    found = check(mine)
    assert found.notes[0].startswith("published with keras 2.4.0, checked with 3.")
    assert "test/roc_auc" in names_of(found, EQUAL)


def test_a_later_format_is_refused(mine: Path) -> None:
    file = mine / "publication.json"
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    (only,) = check(mine).checks
    assert "it is of format 2, and this version reads 1" in str(only.found)


@pytest.mark.usefixtures("here")
def test_its_model_scores_the_same_pictures_alike(shared: Path, tiny_faces: Path) -> None:
    found = check(shared, data=str(tiny_faces))
    assert found.passed, list(found.with_outcome(DIFFERS))
    with_data = {e.name: e for e in found.checks if e.of.endswith("with the data")}
    assert with_data["SHA-256 of test"].outcome == EQUAL
    assert float(with_data["largest difference of a score"].found or 0) < 1e-4
    assert "test/roc_auc" in with_data


@pytest.mark.usefixtures("here")
def test_the_published_model_is_served_by_mlflow(mine: Path, tiny_faces: Path) -> None:
    loaded = mlflow.pyfunc.load_model(str(mine / "model"))
    assert loaded.metadata.saved_input_example_info is None
    verdicts = fakeface_bench.predict(str(mine / "model"), tiny_faces)
    assert verdicts["probability_fake"].between(0, 1).all()


def test_bytecode_that_loading_the_model_left_is_named(mine: Path) -> None:
    left = mine / "model" / "__pycache__" / "served_model.cpython-311.pyc"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"whatever")
    (only,) = check(mine).with_outcome(DIFFERS)
    assert only.name == "model/__pycache__/served_model.cpython-311.pyc"
    assert "as Python writes it when MLflow loads the model: delete it" in str(only.found)


@pytest.mark.usefixtures("here")
def test_another_dataset_is_named_by_its_digests(
    shared: Path, tiny_faces: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(tiny_faces, tmp_path / "faces"))
    next(
        path for path in sorted(other.rglob("*")) if path.is_file() and "test" in str(path)
    ).unlink()
    found = check(shared, data=str(other))
    differing = names_of(found, DIFFERS)
    assert {"SHA-256 of the dataset", "SHA-256 of test", "test images"} <= differing
    assert "SHA-256 of train" not in differing


@pytest.mark.usefixtures("here")
def test_a_comparison_follows_from_its_studies(compared: str, tmp_path: Path) -> None:
    folder = published(compared, tmp_path / "comparison")
    assert check(folder).passed
    (first, _) = sorted((folder / "studies").iterdir())
    assert check(first).passed
    page = (folder / "report.html").read_text()
    assert "no longer readable" not in page
    table = pd.read_csv(folder / "leaderboard.csv")
    table.loc[0, "accuracy"] += 0.01
    table.to_csv(folder / "leaderboard.csv", index=False)
    assert "row 1, accuracy" in names_of(check(folder), DIFFERS)


@pytest.mark.parametrize("run", ["../../../etc", "a" * 31 + "/", 7, ""])
def test_a_comparison_cannot_name_what_lies_elsewhere(
    run: object, mine: Path, tmp_path: Path
) -> None:
    manifest = {"format": 1, "kind": "comparison", "margin": 0.01, "studies": [run]}
    (mine / "publication.json").write_text(json.dumps(manifest))
    found = check(mine)
    assert any("which is no MLflow run" in str(each.found) for each in found.checks)


FORGED = {
    "metrics left out": lambda folder: (folder / "metrics.json").write_text("{}"),
    "metrics made up": _edit("metrics.json", **{"test/generator/midjourney/roc_auc": 0.99}),
    "another threshold": _edit("study.json", thresholds={"0": 0.31, "1": 0.5}),
    "no band": _edit("study.json", unsure=None),
    "no baseline": _edit("study.json", baseline=None),
    "words of the page": lambda folder: (folder / "report.html").write_text(
        (folder / "report.html").read_text().replace("0.", "1.")
    ),
    "words of README": lambda folder: (folder / "README.md").write_text("# ROC AUC 1.000"),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_is_forged_is_found_whatever_the_sums_say(what: str, mine: Path) -> None:
    FORGED[what](mine)
    write_sums(mine)
    found = check(mine)
    assert not found.passed
    assert "changed" not in {each.found for each in found.checks}


@pytest.mark.usefixtures("here")
def test_labels_and_images_that_the_data_do_not_have_are_found(
    mine: Path, tiny_faces: Path
) -> None:
    file = mine / "test_scores.parquet"
    rows = pd.read_parquet(file)
    rows["y_true"] = (rows["y_score"] >= 0.5).astype(np.uint8)
    rows.loc[0, "y_true"] = 1 - rows.loc[0, "y_true"]
    rows.to_parquet(file)
    with_data = {e.name: e for e in check(mine, data=str(tiny_faces)).checks}
    assert with_data["their labels that agree"].outcome == DIFFERS
    rows.iloc[1:].to_parquet(file, index=False)
    with_data = {e.name: e for e in check(mine, data=str(tiny_faces)).checks}
    assert with_data["test images"].outcome == DIFFERS


@pytest.mark.usefixtures("here")
def test_a_model_that_is_code_is_not_run(mine: Path, tiny_faces: Path) -> None:
    """An MLflow model whose file of Python would be run by whoever loads it."""
    shutil.rmtree(mine / "model")
    (mine / "model").mkdir()
    (mine / "model" / "evil.py").write_text("open('was_here', 'w')")
    (mine / "model" / "detector.yaml").write_text("pixels: [0, 1]\nfake: 1\n")
    (mine / "model" / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.loaders.code_model\n"
        "    model_code_path: evil.py\n"
    )
    for of_others in (True, False):
        with pytest.raises(UsageError, match=r"code of its author|of another kind"):
            open_trained(str(mine / "model"), "", RecordedProgress(), of_others=of_others)
    with pytest.raises(UsageError, match="of another kind"):
        check(mine, data=str(tiny_faces))
    assert not Path("was_here").exists()


@pytest.mark.parametrize(
    ("params", "refused"),
    [
        ({"weights": "/etc/passwd"}, "does not take weights"),
        ({"seed": "abc"}, "params that are none"),
    ],
)
def test_a_published_folder_has_no_say_in_places(
    params: dict[str, str], refused: str, shared: Path
) -> None:
    study = read_published_study(shared)
    facts = replace(study.facts, params=dict(study.facts.params) | params)
    config = VerifyConfig(folder="", data="faces")
    with pytest.raises((UsageError, DataError), match=refused):
        _asked_again(replace(study, facts=facts), config)
    hostile = {"storage": "sqlite:////tmp/victim.db", "register": "fakeface", "study": "x"}
    facts = replace(study.facts, params=dict(study.facts.params) | hostile)
    asked = _asked_again(replace(study, facts=facts), config)
    assert (asked.storage, asked.register, asked.study) == ("", "", "")
    unknown = replace(study.facts, model="/home/victim/net.keras")
    with pytest.raises(UsageError, match="knows no architecture"):
        _asked_again(replace(study, facts=unknown), config)


@pytest.mark.usefixtures("here")
def test_published_studies_are_compared_with_ones_own(
    compared: str, shared: Path, place: Workplace
) -> None:
    runs = mlflow.MlflowClient().get_run(compared).data.tags["fakeface.compared"].split(",")
    theirs = json.loads((shared / "publication.json").read_text())["run_id"]
    (own,) = set(runs) - {theirs}
    config = CompareConfig(published=str(shared), runs=own, output="")
    both = run_comparison(config, RecordedProgress()).result
    assert {entry.study.identity.run_id for entry in both.entries} == set(runs)
    within = run_comparison(CompareConfig(runs=",".join(runs), output=""), RecordedProgress())
    for one, other in zip(both.entries, within.result.entries, strict=True):
        assert one.label == other.label
        assert one.roc_auc == other.roc_auc
        assert one.cost == other.cost
    alone = run_comparison(CompareConfig(published=str(shared), output=""), RecordedProgress())
    assert [entry.study.identity.run_id for entry in alone.result.entries] == [theirs]


def test_folders_alone_need_no_store(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    outcome = run_comparison(CompareConfig(published=str(shared)), RecordedProgress())
    assert (tmp_path / "comparison" / "report.html").exists()
    assert len(outcome.result.entries) == 1
    with pytest.raises(UsageError, match="not by data"):
        run_comparison(CompareConfig(published=str(shared), data="x"), RecordedProgress())


@pytest.mark.usefixtures("here")
def test_what_does_not_follow_from_its_scores_is_not_compared(mine: Path) -> None:
    _metric(mine)
    write_sums(mine)
    with pytest.raises(UsageError, match=r"is not compared.*test/roc_auc"):
        run_comparison(CompareConfig(published=str(mine), output=""), RecordedProgress())


@pytest.mark.usefixtures("here")
def test_other_test_images_are_never_mixed(mine: Path, shared: Path) -> None:
    file = mine / "publication.json"
    manifest = json.loads(file.read_text())
    manifest |= {"run_id": "c" * 32, "test_digest": "d" * 64}
    file.write_text(json.dumps(manifest))
    write_sums(mine)
    config = CompareConfig(published=f"{shared},{mine}", output="")
    with pytest.raises(UsageError, match=r"different test splits.*dddddddddddd"):
        run_comparison(config, RecordedProgress())


@pytest.mark.usefixtures("here")
def test_the_same_digest_with_other_images_is_not_mixed(mine: Path, shared: Path) -> None:
    rows = pd.read_parquet(mine / "test_scores.parquet")
    rows["digest"] = rows["digest"].to_numpy()[::-1]
    rows.to_parquet(mine / "test_scores.parquet")
    file = mine / "publication.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"run_id": "c" * 32}))
    write_sums(mine)
    config = CompareConfig(published=f"{shared},{mine}", output="")
    with pytest.raises(UsageError, match="other test images or labels"):
        run_comparison(config, RecordedProgress())


@pytest.mark.usefixtures("here")
def test_an_earlier_versions_study_says_what_to_do(
    run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pd.read_parquet
    monkeypatch.setattr(pd, "read_parquet", lambda file: read(file).drop(columns="digest"))
    with pytest.raises(UsageError, match=r"cannot be published.*Run it again with again=true"):
        published(run_id, tmp_path / "old")
    assert not (tmp_path / "old").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("run", "said"), [("f" * 32, "MLflow knows no run"), ("", "MLflow knows no run")]
)
def test_a_run_that_is_none_is_refused(run: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        published(run, tmp_path / "none")


def test_commands_tell_by_their_exit_codes(place: Workplace, run_id: str, mine: Path) -> None:
    with place.here():
        runner = CliRunner()
        made = runner.invoke(cli, ["publish", "newest", "made"])
        assert made.exit_code == 0, made.output
        folder = made.stdout.strip()
        assert Path(folder) == place.folder / "made"
        assert runner.invoke(cli, ["verify", folder]).exit_code == 0
        _metric(mine)
        changed = runner.invoke(cli, ["verify", str(mine)])
    assert changed.exit_code == 5
    assert "test/roc_auc" in changed.output
    with pytest.raises(UsageError, match="is no published folder"):
        check(mine.parent)
    with pytest.raises(UsageError, match="there is no folder"):
        check(mine / "nowhere")


@pytest.mark.usefixtures("here")
def test_from_python(run_id: str, tmp_path: Path) -> None:
    folder = fakeface_bench.publish(run=run_id, folder=tmp_path / "python", progress=False)
    found = fakeface_bench.verify(folder=folder, progress=False)
    assert found.passed
    assert found.checks.columns.tolist() == ["of", "name", "published", "found", "outcome"]
    assert "nothing differs" in found._repr_html_()


@pytest.mark.usefixtures("here")
def test_names_attack_neither_page_nor_path(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of somebody who names things to do harm, compared and shown."""
    evil = '<script>alert("x")</script>/../../\x1b[31m'
    for name, keys in (
        ("publication.json", ("dataset", "model")),
        ("study.json", ("data", "model")),
    ):
        content = json.loads((mine / name).read_text())
        content |= dict.fromkeys(keys, evil)
        (mine / name).write_text(json.dumps(content))
    study = read_published_study(mine)
    write_publication_page(study, results_of(study.scores), mine)
    write_sums(mine)
    output = tmp_path / "page"
    outcome = run_comparison(
        CompareConfig(published=str(mine), output=str(output)), RecordedProgress()
    )
    for page in (output / "report.html", mine / "report.html"):
        assert "<script>alert" not in page.read_text()
    assert outcome.folder == output
    shown = CliRunner().invoke(cli, ["verify", str(mine)])
    assert "\x1b[31m" not in shown.output


STUDIES: dict[str, dict[str, object]] = {
    "layers trained": {"model": "mobilenetv3_small", "fine_tune": "last_block", "trials": 1},
    "from scratch": {"model": "simple_cnn", "trials": 1},
    "folds": {"folds": 2},
    "refits": {"refits": 2},
    "equalised": {"equalise": "jpeg75"},
    "something left out": {"limit": 6},
}


@pytest.mark.slow
@pytest.mark.parametrize("what", STUDIES)
def test_every_kind_of_study_is_published(what: str, place: Workplace, tmp_path: Path) -> None:
    run = place.run(**STUDIES[what])[0].run_id
    with place.here():
        folder = published(run, tmp_path / "folder")
        newest = publish(
            PublishConfig(run="newest", folder=str(tmp_path / "newest")), RecordedProgress()
        )
    assert check(folder).passed
    assert json.loads((newest / "publication.json").read_text())["run_id"] == run


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_run_again_it_comes_out_the_same(shared: Path, tiny_faces: Path) -> None:
    found = check(shared, data=str(tiny_faces), retrain=True)
    assert found.passed, list(found.with_outcome(DIFFERS))
    again = {each.name: each for each in found.checks if each.of.endswith("run again")}
    assert again["largest difference of a score"].outcome == EQUAL
    assert again["test/roc_auc_mean"].outcome == EQUAL
    assert found.notes == ()
    assert np.isclose(float(again["test/roc_auc"].found or 0), again["test/roc_auc"].published)
