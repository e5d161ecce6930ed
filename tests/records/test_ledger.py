"""A ledger adds up, charges what earlier runs did, and says what was never reached."""

import json

import pytest

from fakeface_bench.records.ledger import STAGES, Ledger, StageCost, first_reached


@pytest.fixture
def ledger() -> Ledger:
    stages = tuple(
        StageCost(stage, float(number), 10.0 if stage == "extraction" else 0.0, number)
        for number, stage in enumerate(STAGES)
    )
    return Ledger(stages, {"parameters": 5.0}, {"0.75": 3.5}, 36.0, {"energy_kwh": "no meter"})


def test_cold_is_warm_and_what_earlier_runs_spent(ledger: Ledger) -> None:
    assert ledger.total_warm_seconds == sum(range(len(STAGES)))
    assert ledger.total_cold_seconds == ledger.total_warm_seconds + 10


def test_logged_stages_add_up_to_the_cold_total(ledger: Ledger) -> None:
    logged = ledger.as_metrics()
    assert logged["cost/extraction_seconds"] == 11
    stages = sum(logged[f"cost/{stage}_seconds"] for stage in STAGES)
    assert stages == logged["cost/total_cold_seconds"] == 46
    assert logged["cost/total_cold_dollars"] == pytest.approx(0.46)
    assert logged["cost/total_warm_dollars"] == pytest.approx(0.36)
    assert logged["cost/parameters"] == 5
    assert logged["cost/to_roc_auc_0.75_seconds"] == 3.5
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


def test_the_first_time_a_target_is_reached_counts() -> None:
    epochs = [(5.0, 0.74), (9.0, 0.81), (7.0, 0.8), (20.0, 0.95)]
    assert first_reached(epochs) == {"0.75": 7.0, "0.8": 7.0, "0.9": 20.0, "0.95": 20.0}
    assert first_reached([]) == {}
