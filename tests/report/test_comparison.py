"""Planted studies give the known front, tests and verdict; names that bite stay text."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from fakeface_bench.analysis.comparison import (
    Comparison,
    PairwiseComparison,
    accuracy_curve,
    compare_studies,
    on_front,
    unique_labels,
)
from fakeface_bench.config import StudyConfig
from fakeface_bench.evaluation.intervals import roc_auc_estimate, wilson
from fakeface_bench.records.settings import NAMED_OPTIONS, format_option
from fakeface_bench.records.study import ComparedStudy, LeftOut
from fakeface_bench.report.comparison_page import comparison_markdown, verdict_of, warnings_of
from fakeface_bench.report.comparison_plots import mark, time_axis
from fakeface_bench.report.comparison_tables import costs as costs_table
from fakeface_bench.report.comparison_tables import (
    format_unmeasured,
    leaderboard,
    leaderboard_table,
    pairs_table,
    quality,
)
from fakeface_bench.report.format import duration, p_value, points
from tests.report.compared_studies import calls, epochs, labels, ledger, study

IMAGES = 200
LABELS = labels(IMAGES)
WARNING = "The weights are RANDOM: they cannot be downloaded now."


def planted(model: str, wrong: range, cost: Any, **given: Any) -> ComparedStudy:
    """Make a study of 200 images that is wrong at some."""
    return study(model, calls(LABELS, wrong), cost, **given)


SMALL = planted("small", range(40), 60.0)
MIDDLE = planted("middle", range(10, 20), 600.0)
LARGE = planted("large", range(8, 16), 7200.0)
WASTE = planted("waste", range(100, 130), 3600.0)


@pytest.fixture(scope="module")
def three() -> Comparison:
    return compare_studies([SMALL, MIDDLE, LARGE])


def warnings(*studies: ComparedStudy) -> list[str]:
    return warnings_of(compare_studies(studies))


def cells(pair: PairwiseComparison) -> dict[str, str]:
    """Return a pair's cells by heading."""
    table = pairs_table([pair])
    return dict(zip(table.header, table.rows[0], strict=True))


# Numbers


def test_the_front_is_the_known_one() -> None:
    found = compare_studies([WASTE, SMALL, LARGE, MIDDLE])
    assert [s.label for s in found.entries] == ["large", "middle", "waste", "small"]
    assert [s.on_front for s in found.entries] == [True, True, False, True]
    assert [(s.lower.label, s.upper.label) for s in found.along_front] == [
        ("small", "middle"),
        ("middle", "large"),
    ]


@pytest.mark.parametrize(
    ("points", "leading"),
    [
        ([(1, 1)], [True]),
        ([(1, 0.5), (2, 0.5)], [True, False]),
        ([(1, 0.5), (1, 0.6)], [False, True]),
        ([(1, 0.5), (1, 0.5), (2, 0.4)], [True, True, False]),
        ([(3, 0.9), (2, 0.8), (1, 0.7)], [True, True, True]),
    ],
)
def test_a_dominated_point_is_not_on_the_front(
    points: list[tuple[float, float]], leading: list[bool]
) -> None:
    costs, values = zip(*points, strict=True)
    assert on_front(costs, values) == leading


def test_the_steps_have_the_known_p_values(three: Comparison) -> None:
    up, on = three.along_front
    across, same = three.to_best
    assert (up.test.only_first, up.test.only_second) == (0, 30)
    assert (on.test.only_first, on.test.only_second) == (2, 4)
    p_values = [binomtest(k, n, 0.5).pvalue for k, n in ((0, 30), (2, 6), (0, 32))]
    assert [up.test.p, on.test.p, across.test.p] == pytest.approx(p_values)
    adjusted = [2 * p_values[0], p_values[1], 3 * p_values[2]]
    assert [up.adjusted_p, on.adjusted_p, across.adjusted_p] == pytest.approx(adjusted)
    assert same is on
    assert [up.verdict, on.verdict] == ["these fits", "not shown"]
    assert up.accuracy.value == pytest.approx(0.15)
    assert up.seconds_per_point == pytest.approx(540 / 15)
    assert on.accuracy.low < 0 < on.accuracy.value < on.accuracy.high


def test_all_pairs_of_studies_are_one_family_of_tests() -> None:
    """Six pairs, five of them in the tables, the last neighbours in both with one adjusted p."""
    studies = [planted(f"s{n}", range(k), 10.0 * n) for n, k in ((1, 30), (2, 28), (3, 8))]
    found = compare_studies([*studies, planted("best", range(0), 99.0)])
    of_pair: dict[tuple[str, str], set[float]] = {}
    for pair in (*found.along_front, *found.to_best):
        of_pair.setdefault((pair.lower.label, pair.upper.label), set()).add(pair.adjusted_p)
    assert all(len(values) == 1 for values in of_pair.values())
    assert len(of_pair) == 5
    assert {pair.tests for pair in (*found.along_front, *found.to_best)} == {6}
    last = found.along_front[-1]
    assert last.test.p == pytest.approx(2 / 2**8)
    assert last.adjusted_p == pytest.approx(2 * last.test.p)


def test_entries_hold_accuracy_and_f1(three: Comparison) -> None:
    assert [s.accuracy.value for s in three.entries] == [0.96, 0.95, 0.8]
    assert three.entries[2].estimates["f1_fake"].value == pytest.approx(0.8)
    assert three.entries[0].accuracy.std is None


def test_agreement_is_counted_by_hand(three: Comparison) -> None:
    """Large errs at 8 to 15, middle at 10 to 19, small at 0 to 39."""
    shared = three.agreement
    assert shared.same_predictions[0, 1] == pytest.approx(1 - 6 / 200)
    assert shared.both_wrong[0].tolist() == [8, 6, 8]
    assert sorted(shared.wrong_by_all) == list(range(10, 16))
    assert shared.confusions[0].tolist() == [[96, 4], [4, 96]]


def test_the_order_given_is_of_no_effect(three: Comparison) -> None:
    other = compare_studies([LARGE, SMALL, MIDDLE])
    assert [s.estimates for s in other.entries] == [s.estimates for s in three.entries]
    assert comparison_markdown(other) == comparison_markdown(three)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"y_true": 1 - LABELS}, "labels"),
        ({"paths": tuple(f"other/{n}" for n in range(IMAGES))}, "paths"),
        ({"sources": ("others",) * IMAGES}, "sources"),
    ],
)
def test_studies_of_different_images_are_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=f"'small' and 'middle' differ in the {what}"):
        compare_studies([SMALL, replace(MIDDLE, **given)])


def test_no_study_is_refused() -> None:
    with pytest.raises(ValueError, match="no study to compare"):
        compare_studies([])


def test_names_that_collide_are_told_apart() -> None:
    models = [
        planted("vgg", range(1), 1.0),
        planted("vgg", range(2), 1.0, weights="random"),
        planted("vgg", range(3), 1.0, weights="random"),
        planted("other", range(3), 1.0),
        planted("x" * 90, range(3), 1.0),
        planted("x" * 90, range(3), 1.0),
    ]
    names = unique_labels(models)
    assert names[:4] == ["vgg, imagenet", "vgg, random, 1", "vgg, random, 2", "other"]
    assert len(set(names)) == 6
    assert max(map(len, names)) < 50


@pytest.mark.parametrize("wrong", [range(0), range(IMAGES), range(0, IMAGES, 2), range(40)])
def test_intervals_of_one_seed_are_those_of_its_own_table(wrong: range) -> None:
    study = planted("one", wrong, 1.0)
    best = compare_studies([study]).best
    assert best.accuracy == wilson(IMAGES - len(wrong), IMAGES)
    assert best.accuracy.low < best.accuracy.high
    assert best.roc_auc == roc_auc_estimate(study.y_true, study.kept.y_score)


def asked(study: ComparedStudy, **options: object) -> ComparedStudy:
    """A study as it was asked; of what is not named, as usual."""
    given = StudyConfig().as_params() | {"weights": study.identity.weights} | options
    description = {key: format_option(key, given[key]) for key in NAMED_OPTIONS}
    size = str(given["image_size"] or 224)
    return replace(study, settings=description | {"image_size_px": size})


def test_names_hold_whatever_differs_among_the_compared() -> None:
    small, tuned = planted("small", range(1), 1.0), planted("small", range(2), 1.0)
    large = planted("large", range(3), 1.0, weights="random")
    assert unique_labels([asked(small), asked(large)]) == [
        "small, imagenet weights",
        "large, random weights",
    ]
    assert unique_labels([asked(small), asked(tuned, image_size=96, trials=5)]) == [
        "small, usual size",
        "small, 96 px",
    ]
    assert unique_labels([asked(small), asked(tuned, trials=5)]) == [
        "small, 20 trials",
        "small, 5 trials",
    ]
    assert unique_labels([asked(small, seed=1), asked(small, seed=2)]) == [
        "small, seed 1",
        "small, seed 2",
    ]
    assert unique_labels([asked(small), asked(tuned, input="residual", loss="focal,hinge")]) == [
        "small",
        "small, residual input, loss focal,hinge",
    ]
    statistics = planted("residual", range(4), 1.0, weights="none")
    assert unique_labels([asked(small), asked(statistics)]) == ["small", "residual"]
    assert unique_labels([asked(small, limit=150), asked(tuned, limit=150)]) == [
        "small, imagenet, 1",
        "small, imagenet, 2",
    ]
    scratch = planted("cnn", range(3), 1.0, weights="random", trained="trained from scratch")
    assert unique_labels([asked(small), asked(scratch)]) == ["small", "cnn"]


def test_limits_and_sizes_are_warned_of_in_words() -> None:
    assert warnings(asked(SMALL), asked(MIDDLE)) == []
    assert warnings(asked(SMALL, limit=150), asked(MIDDLE, limit=150)) == [
        "Not the whole dataset, per split and class: limit 150."
    ]
    assert warnings(asked(SMALL), asked(MIDDLE, image_size=96)) == [
        "The networks saw the images at different sizes: 96 and 224 px."
    ]


def test_folds_are_never_mixed_silently_with_hold_out() -> None:
    assert warnings(asked(SMALL, folds=5), asked(MIDDLE, folds=3)) == []
    assert warnings(asked(SMALL, folds=5), asked(MIDDLE)) == [
        "Not all were fitted on the same images: those with folds on train and validation "
        "together, the others on train alone."
    ]
    small, folded = planted("small", range(1), 1.0), planted("small", range(2), 1.0)
    assert unique_labels([asked(small), asked(folded, folds=5)]) == ["small", "small, 5 folds"]


def test_few_test_images_are_warned_of() -> None:
    few = study("few", calls(labels(80), range(9)), 1.0)
    assert "80 test images are few (under 100)" in warnings(few)[0]
    assert warnings(study("more", calls(labels(100), range(9)), 1.0)) == []
    assert "Leaderboard (n = 80 test images)" in comparison_markdown(compare_studies([few]))


def test_seeds_that_are_all_right_have_the_interval_of_one() -> None:
    twice = study("twice", [calls(LABELS, range(0))] * 2, 1.0)
    best = compare_studies([twice]).best
    assert best.accuracy == wilson(IMAGES, IMAGES)
    assert best.roc_auc.low < 1


# The verdict and the warnings


#: What a comparison with fewer than three seeds of any study adds.
OF_FITS = ". Differences are between these fits: another seed may differ as much"


def test_what_is_cheaper_is_taken_where_it_is_shown_to_be_within_the_margin() -> None:
    found = compare_studies([SMALL, MIDDLE, LARGE], margin=0.04)
    assert (found.best.label, found.recommended.label) == ("large", "middle")
    verdict = verdict_of(found)
    assert verdict.headline == "Take middle: shown to be within 4 points of the best, and cheaper"
    assert verdict.weight == "good"
    assert verdict.paragraph == (
        "On n = 200 test images, middle is correct on 95.0 % and costs 10 minutes for extraction, "
        "search and last fit; large is correct on 96.0 % and costs 2 hours"
        f"{OF_FITS}."
    )
    assert warnings_of(found) == []


def test_where_the_margin_is_not_shown_the_best_is_taken_and_what_would_show_it_told(
    three: Comparison,
) -> None:
    assert three.recommended is three.best
    verdict = verdict_of(three)
    assert verdict.headline == "Take large: no cheaper study is shown to be within 1 point of it"
    assert verdict.weight == "care"
    assert verdict.paragraph == (
        "On n = 200 test images, large is correct on 96.0 % and costs 2 hours for extraction, "
        "search and last fit; middle is correct on 95.0 % and costs 10 minutes"
        f"{OF_FITS}."
    )
    row = cells(three.to_best[1])
    assert row["accuracy, points (95 %)"] == "1.0 (−1.5 to 3.5)"
    assert (row["p"], row["p, adjusted"]) == ("0.688", "0.688")
    assert warnings_of(three) == [
        "These images could show middle to be within 2.5 points at best; were both equally "
        "accurate, about 1,300 would show 1 point."
    ]
    for margin in (0.0, 0.03):  # nothing shows the first; it is the lead that exceeds the second
        found = compare_studies([SMALL, MIDDLE, LARGE], margin=margin)
        assert found.recommended is found.best
        assert warnings_of(found) == [
            "These images could show middle to be within 2.5 points at best."
        ]


def test_a_lead_that_is_shown_over_every_cheaper_study() -> None:
    best = planted("best", range(2), ledger(7200.0, dollars_per_hour=3.0))
    found = compare_studies([SMALL, MIDDLE, best])
    verdict = verdict_of(found)
    assert found.recommended is found.best
    assert verdict.headline == "Take best: every cheaper fit is shown to be less accurate"
    assert verdict.paragraph == (
        "On n = 200 test images, best is correct on 99.0 % and costs 2 hours ($6.00) for "
        "extraction, search and last fit; middle is correct on 95.0 % and costs 10 minutes"
        f"{OF_FITS}."
    )
    row = cells(found.to_best[1])
    assert (row["from"], row["accuracy, points (95 %)"]) == ("middle", "4.0 (1.0 to 7.5)")
    assert (row["p, adjusted"], row["more accurate?"]) == ("0.039", "these fits")


def test_the_best_and_cheapest_is_taken() -> None:
    verdict = verdict_of(compare_studies([planted("best", range(2), 6.0), MIDDLE]))
    assert verdict.headline == "Take best: the most accurate, and none is shown to be cheaper"
    assert verdict.paragraph == (
        "On n = 200 test images, best is correct on 99.0 % and costs 6 seconds for extraction, "
        "search and last fit; middle is correct on 95.0 % and costs 10 minutes"
        f"{OF_FITS}."
    )


def test_one_study_has_nothing_to_be_compared_with() -> None:
    found = compare_studies([MIDDLE])
    verdict = verdict_of(found)
    assert verdict.headline == "One study, nothing to compare it with: middle"
    assert verdict.weight == "note"
    assert verdict.paragraph == (
        "On n = 200 test images, middle is correct on 95.0 % and costs 10 minutes for extraction, "
        "search and last fit."
    )
    assert found.along_front == found.to_best == ()


def test_missing_evidence_is_told() -> None:
    """Five of 40 images, all for the best: the interval leaves 0 out, the test says p = 0.062."""
    y_true = labels(40)
    small, large = (
        study(name, calls(y_true, range(wrong)), cost)
        for name, wrong, cost in (("small", 7, 60.0), ("large", 2, 600.0))
    )
    found = compare_studies([small, large])
    assert found.recommended.label == "large"
    verdict = verdict_of(found)
    assert verdict.headline == "Take large: no cheaper study is shown to be within 1 point of it"
    assert verdict.weight == "care"
    row = cells(found.to_best[0])
    assert (row["accuracy, points (95 %)"], row["p"]) == ("12.5 (2.5 to 22.5)", "0.062")
    assert row["more accurate?"] == "not shown"


def test_the_same_correct_images_leave_room_for_a_difference() -> None:
    twin = planted("twin", range(10, 20), 6000.0)
    found = compare_studies([MIDDLE, twin])
    assert (found.best.label, found.recommended.label) == ("middle", "middle")
    seeds = [calls(LABELS, range(10, 20)), calls(LABELS, range(0))]
    found = compare_studies([MIDDLE, study("twin", seeds, 6000.0)])
    high = found.to_best[0].accuracy.high
    assert high > 0.03
    assert cells(found.to_best[0])["accuracy, points (95 %)"].endswith(f" to {points(high)})")


def test_the_same_correct_images_are_never_said_to_be_certain() -> None:
    """Resamples leave less than a point; 200 images without one difference leave 1.5."""
    scores = [calls(LABELS, range(10, end)) for end in (20, 20, 20, 20, 20, 19)]
    found = compare_studies([MIDDLE, study("twin", scores, 6000.0)])
    pair = found.to_best[0]
    assert pair.accuracy.high < pair.could_be_ahead == 1 - 0.05 ** (1 / IMAGES)
    assert cells(pair)["accuracy, points (95 %)"].endswith(", up to 1.5 not ruled out")


def test_a_choice_that_is_not_on_the_front_is_warned_of() -> None:
    """Near errs where the best does, and is shown to be close; odd elsewhere, and is cheaper."""
    best = planted("best", range(20), 100.0)
    odd = planted("odd", range(50, 71), 5.0)
    near = planted("near", range(22), 10.0)
    found = compare_studies([best, near, odd], margin=0.03)
    assert found.recommended.label == "near"
    assert "near is not on the front." in warnings_of(found)


def test_seeds_are_averaged_and_the_kept_model_is_named() -> None:
    several = study("several", [calls(LABELS, range(10)), calls(LABELS, range(4))], 9000.0)
    found = compare_studies([MIDDLE, several])
    best = found.best
    assert best.accuracy.value == pytest.approx(0.965)
    assert best.accuracy.of_seeds == pytest.approx((0.95, 0.98))
    assert best.accuracy.std == pytest.approx(0.03 / 2**0.5)
    assert leaderboard_table(found).frame()["accuracy_kept"][0] == pytest.approx(0.95)
    assert quality(found).rows[0][-1] == "2 refits (std 0.021)"
    whole = compare_studies([MIDDLE, replace(several, repeats_study=True)])
    assert quality(whole).rows[0][-1] == "2 (std 0.021)"


def test_an_interval_apart_from_0_that_no_test_confirms_is_said_to_be_so() -> None:
    """Six of six images: raw p = 0.031, and 0.094 among three tests."""
    best = planted("best", range(6), 900.0)
    to_best = [planted("one", range(12), 100.0), planted("two", range(11), 200.0)]
    found = compare_studies([best, *to_best])
    assert verdict_of(found).headline.startswith("Take best: no cheaper study is shown to be")
    row = cells(found.to_best[0])
    assert found.to_best[0].accuracy.low > 0
    assert (row["p"], row["p, adjusted"], row["more accurate?"]) == ("0.031", "0.094", "not shown")
    assert found.to_best[0].tests == 3


def test_a_kept_model_that_is_luckier_than_its_seeds_shows_nothing() -> None:
    """The kept model is ahead at p < 0.001; over both seeds the studies are about equal."""
    lucky = study("lucky", [calls(LABELS, range(8)), calls(LABELS, range(42))], 900.0)
    rival = planted("rival", range(27), 100.0)
    found = compare_studies([lucky, rival])
    assert found.best.label == "lucky"
    pair = found.to_best[0]
    assert pair.adjusted_p < 0.001
    assert pair.accuracy.low < 0
    assert pair.verdict == "not shown"
    assert found.recommended.label == "lucky"
    assert found.undecided is pair


@pytest.mark.parametrize("seeds", [2, 3, 6, 7])
def test_means_over_seeds_that_are_equal_rank_by_cost(seeds: int) -> None:
    for wrong in (7, 10, 11, 27):
        cheap = planted("cheap", range(wrong), 10.0)
        expensive = study("expensive", [calls(LABELS, range(wrong))] * seeds, 90.0)
        found = compare_studies([expensive, cheap])
        assert found.best.label == "cheap"
        assert [entry.on_front for entry in found.entries] == [True, False]


@pytest.mark.parametrize(
    ("seeds", "whole", "of_fits"),
    [
        ((1, 3), True, True),
        ((3, 2), True, True),
        ((3, 3), False, True),
        ((3, 3), True, False),
    ],
)
def test_fewer_than_three_whole_studies_say_nothing_of_networks(
    seeds: tuple[int, int], whole: bool, of_fits: bool
) -> None:
    of_seeds = [[calls(LABELS, range(4 + n)) for n in range(count)] for count in seeds]
    one, other = (
        study(name, scores, cost, repeats_study=whole)
        for name, scores, cost in (("one", of_seeds[0], 90.0), ("other", of_seeds[1], 9.0))
    )
    found = compare_studies([one, other])
    assert (OF_FITS in verdict_of(found).paragraph) is of_fits
    assert found.tells_of_networks is not of_fits


def networks(*wrong: tuple[int, int, int]) -> Comparison:
    """Compare networks of three whole studies each, by how many images each got wrong."""
    return compare_studies(
        [
            study(
                f"n{place}",
                [calls(LABELS, range(count)) for count in of_seeds],
                10.0 * (place + 1),
                repeats_study=True,
            )
            for place, of_seeds in enumerate(wrong)
        ]
    )


def test_networks_differ_where_their_seeds_do() -> None:
    """Means 0.2 and 0.05 wrong: further apart than seeds or images explain."""
    pair = networks((40, 42, 38), (10, 11, 9)).to_best[0]
    assert (pair.of_networks, pair.verdict) == (True, "shown")
    assert pair.accuracy.value == pytest.approx(0.15)
    assert 0 < pair.accuracy.low < pair.accuracy.high
    assert pair.p < 0.001
    assert pair.images_for(0.01) is None


def with_trials(study: ComparedStudy, *seconds: float) -> ComparedStudy:
    return replace(study, trials=len(seconds), trial_seconds=seconds)


def test_costs_are_of_as_many_trials_as_every_study_had() -> None:
    """Of 600 s half were 40 trials; of 60 s half were 20, which is what both are charged."""
    small = with_trials(SMALL, *[1.5] * 20)
    middle = with_trials(MIDDLE, *[7.5] * 40)
    found = compare_studies([small, middle])
    costs = {entry.label: entry.cost for entry in found.entries}
    assert costs["small"].value == pytest.approx(15 + 20 * 1.5 + 15)
    assert costs["middle"].value == pytest.approx(150 + 20 * 7.5 + 150)
    assert costs["middle"].low == pytest.approx(costs["middle"].high)
    assert found.along_front[0].extra_seconds == pytest.approx(450 - 60)
    paragraph = verdict_of(found).paragraph
    assert "costs 7.5 minutes for extraction, 20 trials and last fit" in paragraph
    refitted = replace(small, refit_seconds=(30.0, 45.0))
    assert compare_studies([refitted]).best.cost.value == pytest.approx(15 + 30 + 30)


def test_a_study_whose_trials_vary_more_than_it_saves_is_not_cheaper() -> None:
    """Trials of 1 s and of 99 s: which of them a search draws decides its cost."""
    wild = with_trials(planted("wild", range(12), 1980.0), *[1.0, 98.0] * 10)
    steady = with_trials(planted("steady", range(10), 2080.0), *[52.0] * 20)
    found = compare_studies([wild, steady])
    wild_cost, steady_cost = (entry.cost for entry in sorted(found.entries, key=lambda e: -e.rank))
    assert wild_cost.value < steady_cost.value < wild_cost.high
    assert wild_cost.low < wild_cost.value - 300
    assert found.to_best == ()
    assert verdict_of(found).headline == (
        "Take steady: the most accurate, and none is shown to be cheaper"
    )
    row = dict(zip(quality(found).header, quality(found).rows[1], strict=True))
    assert re.fullmatch(r"33 min \(2\d(\.\d)? to (39|4\d)(\.\d)?\)", row["cost (95 %)"])
    calm = with_trials(planted("calm", range(12), 1980.0), *[49.5] * 20)
    assert [pair.lower.label for pair in compare_studies([calm, steady]).to_best] == ["calm"]


def test_a_machine_that_was_shared_is_warned_of() -> None:
    noisy = planted("noisy", range(10), ledger(60.0, other={"others_share": 0.35}))
    alone = planted("alone", range(9), ledger(600.0, other={"others_share": 0.04}))
    assert warnings(noisy, alone)[-1] == (
        "Costs: others took up to 35% of the machine beside noisy."
    )


def test_one_lucky_seed_is_no_difference_between_networks() -> None:
    """The kept fits differ at p < 0.001; the seeds of either lie as far apart."""
    found = networks((40, 12, 30), (10, 33, 36))
    pair = found.to_best[0]
    assert pair.test.p < 0.001
    assert pair.p > 0.2
    assert pair.verdict == "not shown"
    assert any("These seeds and images could show" in line for line in warnings_of(found))


def test_two_seeds_of_one_network_are_no_difference() -> None:
    """As was measured: 400 images, p = 0.004 between seeds 0 and 3 of one network."""
    y_true = labels(400)
    seeds = [
        study("small", calls(y_true, range(wrong)), cost, run_id=f"run-{seed}", settings=settings)
        for seed, wrong, cost in ((0, 88, 10.0), (3, 68, 20.0))
        for settings in [{"image_size": "96 px", "seed": f"seed {seed}"}]
    ]
    found = compare_studies(seeds)
    (pair,) = found.to_best
    assert pair.p < 0.001
    assert (pair.is_shown, pair.verdict) == (False, "one network")
    verdict = verdict_of(found)
    assert verdict.headline == (
        "2 fits of one network, 5 points apart: no difference between networks"
    )
    assert verdict.weight == "note"
    other = [seeds[0], replace(seeds[1], settings={"image_size": "128 px"})]
    assert compare_studies(other).to_best[0].verdict == "these fits"


def test_seeds_that_agree_still_show_a_difference() -> None:
    sure = study("sure", [calls(LABELS, range(2)), calls(LABELS, range(4))], 900.0)
    assert compare_studies([sure, SMALL]).to_best[0].is_shown


def test_a_worse_mean_with_a_better_kept_model_is_not_shown_to_be_worse() -> None:
    lucky = study("lucky", [calls(LABELS, range(0)), calls(LABELS, range(80))], 10.0)
    found = compare_studies([lucky, MIDDLE])
    assert found.best.label == "middle"
    assert found.to_best[0].adjusted_p < 0.05
    assert found.recommended.label == "middle"
    assert found.undecided is found.to_best[0]
    assert not found.to_best[0].is_shown


def test_random_weights_are_warned_of() -> None:
    unfit = planted("unfit", range(60), 30.0, warning=WARNING)
    found = compare_studies([unfit, MIDDLE])
    verdict = verdict_of(found)
    assert verdict.weight == "care"
    assert warnings_of(found) == [f"unfit: {WARNING}"]
    assert comparison_markdown(found).startswith(f"**unfit: {WARNING}**\n\n**Take middle")


MACHINES = "Costs: the studies ran on different machines."


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, []),
        ({"machine": "a laptop"}, [MACHINES]),
        ({"trials": 3}, ["Different numbers of trials (3 to 20); costs are of 3 each."]),
        (
            {"machine": "a laptop", "trials": 30},
            [MACHINES, "Different numbers of trials (20 to 30); costs are of 20 each."],
        ),
    ],
)
def test_costs_that_are_not_alike_are_warned_of(given: dict[str, Any], found: list[str]) -> None:
    one, other = (replace(one, machine="a server", trials=20) for one in (SMALL, MIDDLE))
    other = replace(other, **given)
    assert warnings(one, other) == found
    text = comparison_markdown(compare_studies([one, other]))
    assert [warning in text for warning in found] == [True] * len(found)
    assert ("different machines" in text) == ("machine" in given)


def test_numbers_of_seeds_that_differ_are_warned_of() -> None:
    thrice = study("thrice", [calls(LABELS, range(9))] * 3, 900.0)
    assert warnings(SMALL, thrice) == ["Different numbers of seeds (1 to 3)."]
    assert warnings(thrice, replace(thrice, ledger=ledger(9.0))) == []


def test_what_is_not_known_of_a_study_is_no_difference() -> None:
    known = replace(MIDDLE, machine="a server", trials=20)
    assert warnings(SMALL, known) == []


def test_chance_is_called_chance() -> None:
    coins = [
        study(name, np.random.default_rng(n).random(IMAGES), 10.0 + n)
        for n, name in enumerate(("heads", "tails"))
    ]
    found = verdict_of(compare_studies(coins))
    assert (found.headline, found.weight) == ("No study is shown to beat chance", "care")
    chance = "Not shown to beat chance (95 % interval of ROC AUC not above 0.5)"
    assert warnings(*coins)[0].startswith(f"{chance}: ")
    assert all(coin.label in warnings(*coins)[0] for coin in coins)
    assert warnings(coins[0]) == [f"{chance}: heads."]


def test_a_choice_near_chance_is_warned_of_where_others_are_not() -> None:
    """Confident about the order and at a useless threshold, against a coin that is no worse."""
    y_score = np.where(LABELS == 1, 0.4, 0.3)
    coin = study("coin", np.random.default_rng(0).random(IMAGES), 1.0)
    found = compare_studies([coin, study("shy", y_score, 9.0)])
    assert (found.recommended.label, verdict_of(found).weight) == ("coin", "care")
    assert warnings_of(found)[0].endswith("above 0.5): coin.")


# Texts


def test_rows_for_the_terminal(three: Comparison) -> None:
    table = leaderboard(three)
    assert table.header == ("model", "accuracy (95 %)", "ROC AUC (95 %)", "cost (95 %)", "cold")
    assert table.rows[1] == (
        "middle",
        "0.950 (0.910 to 0.973)",
        "0.950 (0.907 to 0.973)",
        "10 min",
        "10 min",
    )


def test_what_was_never_reached_or_measured_is_shown_as_such() -> None:
    costs = ledger(
        100.0,
        amortised=40.0,
        targets={"0.75": 12.0},
        other={"parameters": 1.5e6},
        unmeasured={"energy_kwh": "no counter."},
    )
    found = compare_studies([planted("one", range(9), costs), MIDDLE])
    table = costs_table(found)
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert (row["to 0.75"], row["to 0.8"], row["parameters"]) == ("12 s", "∞", "1,500,000")
    assert row["peak memory, this run, GB"] == "–"
    assert format_unmeasured(found) == ["energy, this run, kWh: no counter (one)."]
    assert leaderboard(found).rows[0][3:] == ("1.67 min", "1.67 min")
    quartiles = replace(costs, target_quartiles={"0.75": (8.0, 30.0)})
    found = compare_studies([planted("one", range(9), quartiles), MIDDLE])
    table = costs_table(found)
    assert dict(zip(table.header, table.rows[0], strict=True))["to 0.75"] == "12 s (8 to 30)"
    row = leaderboard_table(found).frame().iloc[0]
    ends = [row[f"to_roc_auc_0.75_seconds{end}"] for end in ("_q25", "", "_q75")]
    assert ends == [8.0, 12.0, 30.0]


def test_markdown_of_twenty_studies_fits_a_description() -> None:
    studies = [
        planted(f"architecture_number_{n:02}", range(100 - 4 * n), 10.0 * 2**n, warning=WARNING)
        for n in range(20)
    ]
    left_out = [LeftOut(f"left out {n}", "", "its run failed for a reason.") for n in range(30)]
    text = comparison_markdown(compare_studies(studies, left_out))
    assert len(text) < 5000
    assert "more in leaderboard.csv." in text
    assert "more in report.html." in text


@pytest.mark.parametrize("reason", ["it failed: no images.", "it failed: no images"])
def test_why_a_study_was_left_out_ends_with_one_full_stop(reason: str) -> None:
    text = comparison_markdown(compare_studies([SMALL], [LeftOut("vgg19", "", reason)]))
    assert text.endswith("- vgg19: it failed: no images.\n")


def test_hostile_names_keep_markdown_in_shape() -> None:
    names = ("<script>alert(1)</script>", "a|b\n| c", "https://x.y/" + "&" * 90, "{{ 7*7 }}", "$x")
    studies = [
        planted(name, range(n, n + 9), 10.0 + n, warning=name) for n, name in enumerate(names)
    ]
    text = comparison_markdown(compare_studies(studies, [LeftOut(names[1], names[0], names[2])]))
    assert "<" not in text
    assert "https://" not in text
    assert len(text) < 5000
    for line in (line for line in text.splitlines() if line.startswith("|")):
        assert len(re.findall(r"(?<!\\)\|", line)) in (6, 7)


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (0.0, "0 seconds", "0 s"),
        (1.0, "1 second", "1 s"),
        (59.94, "59.9 seconds", "59.9 s"),
        (59.96, "0.999 minutes", "0.999 min"),
        (90.0, "1.5 minutes", "1.5 min"),
        (7300.0, "2.03 hours", "2.03 h"),
        (3 * 86400.0, "3 days", "3 d"),
        (-60.0, "−1 minute", "−1 min"),
    ],
)
def test_times_have_units(seconds: float, long: str, short: str) -> None:
    assert (duration(seconds), duration(seconds, short=True)) == (long, short)


def test_small_numbers_are_never_told_as_minus_0_or_p_0() -> None:
    assert points(-0.0001) == "0.0"
    assert points(-0.012) == "−1.2"
    assert p_value(1e-9) == "< 0.001"


# Ground of the pictures


def test_elapsed_time_counts_from_a_cold_start() -> None:
    curve = accuracy_curve(replace(SMALL, epochs=epochs(4, head=2)))
    assert curve.epochs.tolist() == [1, 2, 3, 4]
    assert curve.elapsed.tolist() == [27.5, 30.0, 32.5, 35.0]
    assert curve.is_head_alone.tolist() == [True, True, False, False]
    assert not accuracy_curve(SMALL).is_head_alone.any()


@pytest.mark.parametrize("times", [[0.0], [12.0, 13.0], [1.0, 1e6], [60.0, 7200.0], [1e8]])
def test_a_time_axis_has_a_few_marks_and_holds_all(times: list[float]) -> None:
    axis = time_axis(times)
    assert 2 <= len(axis.ticks) <= 6
    assert axis.low < max(min(times), 0.001) <= max(*times, 0.001) < axis.high


def test_fifty_studies_have_marks_of_their_own() -> None:
    assert len({(mark(n).colour, mark(n).shape) for n in range(1, 51)}) == 50
    assert {mark(n).dash for n in range(1, 9)} == {"solid"}
