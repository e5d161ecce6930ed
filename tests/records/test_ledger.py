"""A ledger adds up, charges what earlier runs did, and says what was never reached."""

import json

import pytest

from fakeface_bench.records.ledger import STAGES, Ledger, StageCost


@pytest.fixture
def ledger() -> Ledger:
    stages = tuple(
        StageCost(stage, float(number), 10.0 if stage == "extraction" else 0.0, number)
        for number, stage in enumerate(STAGES)
    )
    quartiles = {"0.75": (2.5, 7.5)}
    unmeasured = {"energy_kwh": "no meter"}
    return Ledger(stages, {"parameters": 5.0}, {"0.75": 3.5}, 36.0, unmeasured, quartiles)


def test_cold_is_warm_and_what_earlier_runs_spent(ledger: Ledger) -> None:
    assert ledger.total_warm_seconds == sum(range(len(STAGES)))
    assert ledger.total_cold_seconds == ledger.total_warm_seconds + 10


def test_logged_stages_add_up_to_the_cold_total(ledger: Ledger) -> None:
    logged = ledger.as_metrics()
    assert logged["cost/extraction_seconds"] == 12
    stages = sum(logged[f"cost/{stage}_seconds"] for stage in STAGES)
    assert stages == logged["cost/total_cold_seconds"] == 55
    assert logged["cost/total_cold_dollars"] == pytest.approx(0.55)
    assert logged["cost/total_warm_dollars"] == pytest.approx(0.45)
    assert logged["cost/parameters"] == 5
    ends = [logged[f"cost/to_roc_auc_0.75{end}_seconds"] for end in ("_q25", "", "_q75")]
    assert ends == [2.5, 3.5, 7.5]
    assert "cost/to_roc_auc_0.8_seconds" not in logged


def test_without_a_price_there_are_no_dollars(ledger: Ledger) -> None:
    free = Ledger(ledger.stages)
    assert not any("dollars" in name for name in free.as_metrics())


def test_json_marks_what_was_amortised_and_reads_back(ledger: Ledger) -> None:
    content = json.loads(json.dumps(ledger.as_json(), allow_nan=False))
    marked = [row["stage"] for row in content["stages"] if row["amortised"]]
    assert marked == ["extraction"]
    assert content["seconds_to_val_roc_auc"]["0.99"] is None
    assert content["unmeasured"] == {"energy_kwh": "no meter"}
    assert Ledger.from_json(content) == ledger


def test_a_ledger_of_an_earlier_version_is_read(ledger: Ledger) -> None:
    """It knew neither start-up nor quartiles."""
    content = json.loads(json.dumps(ledger.as_json()))
    content["stages"] = content["stages"][1:]
    del content["quartiles_of_these"]
    earlier = Ledger.from_json(content)
    assert earlier.stage("startup").seconds == 0
    assert earlier.total_warm_seconds == ledger.total_warm_seconds
    assert earlier.reached("0.75") == (3.5, 3.5, 3.5)
    assert ledger.reached("0.75") == (2.5, 3.5, 7.5)
    assert ledger.reached("0.8") is None


def test_what_sets_networks_apart_is_told_of_fewer_trials(ledger: Ledger) -> None:
    """Extraction took 12 s, the search 3 + 4 + 5, the last fit 6; start-up is no part of it."""
    assert ledger.search_seconds == 12
    assert ledger.seconds_of_trials(5, 20) == 12 + 12 / 4 + 6
    assert ledger.seconds_of_trials(0, 20) == ledger.seconds_of_trials(5, 0) == 30
