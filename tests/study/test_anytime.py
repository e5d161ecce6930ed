"""What a study would have taken earlier: scored after the end, and told with its time."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fakeface_bench.config import CompareConfig
from fakeface_bench.jobs.compare import run_comparison
from fakeface_bench.records.study import best_so_far
from fakeface_bench.study.run import StudyOutcome
from tests.conftest import RecordedProgress
from tests.workplace import Workplace, workplace


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path, session_cache: Path
) -> Workplace:
    made = workplace(tmp_path_factory.mktemp("anytime"), tiny_faces, session_cache)
    made.config = replace(made.config, model="residual", weights="auto", trials=5, epochs=2)
    return made


@pytest.fixture(scope="module")
def told(place: Workplace) -> tuple[StudyOutcome, RecordedProgress]:
    return place.run(anytime=True, seeds=2)


def searches(place: Workplace, run_id: str) -> list[dict[str, object]]:
    folder = Path(place.client.download_artifacts(run_id, ""))
    found = json.loads((folder / "study.json").read_text())["searches"]
    assert isinstance(found, list)
    return found


def test_all_that_were_the_best_so_far_are_scored_and_the_last_is_the_winner(place, told) -> None:
    record = told[0].record
    first, second = searches(place, told[0].run_id)
    kept = (record.seed, record.search, record.test)
    (again,) = record.repeats
    for course, (seed, search, test) in zip(
        (first, second), (kept, (again.seed, again.search, again.test)), strict=True
    ):
        best = list(best_so_far(search.trials))
        assert course["seed"] == seed
        assert [one["position"] for one in course["choices"]] == [t.position for t in best]
        assert course["choices"][-1]["test_roc_auc"] == test.metrics["roc_auc"]
        values = [one["val_roc_auc"] for one in course["improvements"]]
        assert values == sorted(values)
        assert values[-1] >= search.best.value
        times = [one["seconds"] for one in course["improvements"]]
        assert record.epochs_began_seconds < times[0] <= times[-1] <= course["seconds"]
        spent = sum(trial.seconds for trial in search.trials)
        assert course["seconds"] == pytest.approx(record.epochs_began_seconds + spent)


def test_the_first_choice_is_the_baseline_whose_options_it_has(told) -> None:
    record = told[0].record
    assert record.search.trials[0].state == "complete"
    assert record.baseline
    expected = record.baseline.test.metrics["roc_auc"]
    assert record.choices[record.seed][0] == pytest.approx(expected, abs=1e-12)


def test_it_is_charged_to_evaluation(told) -> None:
    outcome, progress = told
    earlier = [len(list(best_so_far(search.trials))) - 1 for search in outcome.record.searches]
    shown = [total for title, total in progress.stages if title == "scoring earlier choices"]
    assert shown == [count for count in earlier if count]
    ledger = outcome.ledger
    parts = sum(stage.spent_seconds for stage in ledger.stages)
    assert parts == pytest.approx(ledger.total_warm_seconds)


def test_where_it_is_not_asked_for_nothing_is_scored_and_the_search_is_told(place, told) -> None:
    outcome, progress = place.run(trials=2)
    (course,) = searches(place, outcome.run_id)
    assert course["improvements"]
    assert course["choices"] == []
    assert not any(title == "scoring earlier choices" for title, _ in progress.stages)


def test_a_comparison_times_it_to_a_target(place, told, tmp_path: Path) -> None:
    output = tmp_path / "page"
    asked = CompareConfig(runs=told[0].run_id, output=str(output), target=0.5)
    with place.here():
        comparison = run_comparison(asked, RecordedProgress()).result
    assert comparison.target == 0.5
    header, row = (output / "time_to_target.csv").read_text().splitlines()
    found = dict(zip(header.split(","), row.split(","), strict=True))
    assert found["seeds"] == "2"
    assert float(found["seconds"]) > 0
    assert 0 <= float(found["test_roc_auc"]) <= 1
    assert (output / "anytime.png").stat().st_size > 10_000
