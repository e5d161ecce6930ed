"""Two different studies at the same time, on one cache, one study file and one store of MLflow."""

from pathlib import Path
from typing import Any

import pytest

from tests.reliability.commands import Launcher, Place, metrics_of
from tests.reliability.conftest import TRIALS, Count

OTHER = ("--seed", "1")


def left_by(place: Place, seed: int) -> dict[str, Any]:
    """Return what the one finished study with a seed left."""
    (parent,) = (run for run in place.runs("study") if run.data.params["seed"] == str(seed))
    assert parent.info.status == "FINISHED"
    run_id = parent.info.run_id
    under = [run for run in place.runs("trial") if run.data.tags["mlflow.parentRunId"] == run_id]
    useful = [run for run in under if run.data.tags["fakeface.state"] != "failed"]
    useful.sort(key=lambda run: int(run.data.tags["fakeface.trial"]))
    predictions = place.client.download_artifacts(run_id, "test/predictions.parquet")
    return {
        "figures": metrics_of(parent),
        "options": [run.data.params for run in useful],
        "objectives": [run.data.metrics.get("objective") for run in useful],
        "predictions": Path(predictions).read_bytes(),
        "models": len(place.client.search_logged_models(["0"], f"source_run_id = '{run_id}'")),
    }


@pytest.mark.slow
def test_two_studies_at_once_end_as_each_does_alone_though_one_is_killed(
    launcher: Launcher,
    study: list[str],
    undisturbed: Place,
    tmp_path: Path,
    record_property: Count,
) -> None:
    record_property("processes killed", 1)
    alone, together = Place(tmp_path / "alone"), Place(tmp_path / "together")
    other = [*study, *OTHER]
    one, killed = launcher.start(together, *study), launcher.start(together, *other)
    killed.wait_for("ADVANCES searching")
    killed.kill()
    assert killed.code == -9, "it ended before it could be killed"
    again = launcher.start(together, *other)
    by_itself = launcher.start(alone, *other)
    for running in (one, again, by_itself):
        assert running.finish() == 0, running.printed

    first, second = left_by(together, seed=0), left_by(together, seed=1)
    assert first == left_by(undisturbed, seed=0)
    assert second == left_by(alone, seed=1)
    assert len(first["options"]) == len(second["options"]) == TRIALS
    assert first["predictions"] != second["predictions"]
    assert first["models"] == second["models"] == 1
    everything = together.client.search_runs(["0"])
    assert {run.info.status for run in everything} <= {"FINISHED", "FAILED"}
