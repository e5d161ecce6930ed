"""What a budget buys, and the three prices of a study: by hand on made-up studies."""

from dataclasses import replace

import pytest

from fakeface_bench.analysis.comparison import Comparison, compare_studies
from fakeface_bench.analysis.prices import prices_of, purchases
from fakeface_bench.records.ledger import StageCost
from fakeface_bench.report.comparison_tables import portfolio, prices_table
from fakeface_bench.report.format import UNKNOWN
from tests.report.compared_studies import calls, labels, ledger, study

Y = labels(100)


@pytest.fixture
def three() -> Comparison:
    """One of 30 s with 10 wrong, one of 300 s with 4, one of 1,200 s with 6."""
    measured = {"energy_kwh": 0.02, "predict_images_per_second": 50.0}
    return compare_studies(
        [
            study("quick", calls(Y, range(10)), ledger(30.0, other=measured, dollars_per_hour=3.6)),
            study("good", calls(Y, range(4)), ledger(300.0)),
            study("slow", calls(Y, range(6)), ledger(1200.0)),
        ]
    )


def test_a_budget_buys_the_most_accurate_that_fits(three: Comparison) -> None:
    found = {each.minutes: each for each in purchases(three)}
    assert list(found) == [1.0, 10.0, 60.0]
    assert [each.entry.label for each in found.values() if each.entry] == ["quick", "good", "good"]
    first = found[1.0]
    assert first.better
    assert first.better.label == "good"
    assert first.more_minutes == pytest.approx(4.0)
    assert first.points_a_minute == pytest.approx(6 / 4)
    assert (found[10.0].better, found[60.0].better) == (None, None), "the slow one is no better"


def test_where_nothing_fits_the_cheapest_is_what_more_would_buy(three: Comparison) -> None:
    asked = replace(three, budget_minutes=0.25)
    found = purchases(asked)
    assert [each.minutes for each in found] == [0.25, 1.0, 10.0, 60.0]
    assert found[0].entry is None
    assert found[0].better
    assert found[0].better.label == "quick"
    assert found[0].points_a_minute is None
    row = portfolio(asked).rows[0]
    assert row[:3] == ("0.25", "nothing fits", UNKNOWN)


def test_a_budget_counts_one_seed_of_a_study_of_several() -> None:
    several = ledger(90.0)
    others = (stage for stage in several.stages if stage.stage != "repeats")
    found = purchases(
        compare_studies(
            [
                study("single", calls(Y, range(6)), ledger(50.0)),
                study(
                    "seeds",
                    calls(Y, range(4)),
                    replace(several, stages=(*others, StageCost("repeats", 50.0))),
                ),
            ]
        )
    )[0]
    assert found.better
    assert (found.minutes, found.better.label) == (1.0, "seeds")
    assert found.more_minutes == pytest.approx(0.5), "90 of 140 seconds"


def test_prices_are_measured_estimated_or_not_known(three: Comparison) -> None:
    quick = next(entry for entry in three.entries if entry.label == "quick")
    search, training, predictions = prices_of(quick)
    assert search.seconds == pytest.approx(30 / 4 + 30 / 2)
    assert training.seconds == pytest.approx(30 / 4 + 30 / 4)
    assert predictions.seconds == pytest.approx(20.0)
    assert training.kwh == pytest.approx(0.02 * 15 / 30)
    assert training.dollars == pytest.approx(15 / 1000)
    assert {search.seconds_are, search.kwh_is} == {"measured", "estimated"}
    table = prices_table(three).frame()
    assert len(table) == 9
    unknown = table[(table["label"] == "good") & (table["of"] == "1,000 predictions")].iloc[0]
    assert (unknown["seconds_are"], unknown["kwh_is"]) == ("not known", "not known")
    assert table.loc[table["label"] == "good", "dollars"].isna().all()
