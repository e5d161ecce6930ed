"""How options of the search are asked for, and what is refused before anything begins."""

from dataclasses import fields

import pytest

from fakeface_bench.config import HeadConfig, SearchConfig, StudyConfig, SuiteConfig, TuningConfig
from fakeface_bench.resolve import checked, make_plan, suite_studies
from fakeface_bench.search.options import (
    OPTIONS,
    Candidates,
    Range,
    format_candidates,
    narrowed,
    search_definition,
)
from fakeface_bench.support.errors import UsageError


def test_every_option_of_a_trial_can_be_asked_for() -> None:
    of_heads = {each.name for each in fields(HeadConfig)} - {"batch_size"}
    of_tuning = {f"fine_{each.name}" for each in fields(TuningConfig)} - {"fine_batch_size"}
    assert OPTIONS.keys() == of_heads | of_tuning
    assert OPTIONS.keys() <= SearchConfig.options().keys()


@pytest.mark.parametrize(
    ("name", "text", "candidates"),
    [
        ("dropout", "0.3", (0.3,)),
        ("dropout", "0.5,0.1, 0.1", (0.1, 0.5)),
        ("dropout", "0.1..0.5", Range(0.1, 0.5)),
        ("dropout", "0.8", (0.8,)),
        ("learning_rate", "1e-3..1e-2", Range(1e-3, 1e-2, log=True)),
        ("weight_decay", "0", (0.0,)),
        ("units", "128,0", (0, 128)),
        ("units", "32..64", Range(32, 64)),
        ("batch_norm", "True", (True,)),
        ("loss", "hinge,focal", ("focal", "hinge")),
        ("features", "last", ("last",)),
        ("C", "0.1", (0.1,)),
        ("learning_rate", "0.00123456789", (0.00123456789,)),
    ],
)
def test_a_value_several_or_a_range(name: str, text: str, candidates: Candidates) -> None:
    asked = SearchConfig(**{name: text})  # type: ignore[arg-type]  # all of these are texts
    assert narrowed(asked) == {name: candidates}
    again = SearchConfig(**{name: format_candidates(candidates)})  # type: ignore[arg-type]
    assert narrowed(again) == {name: candidates}


def test_what_is_searched_anyway_is_nothing_unusual() -> None:
    everything = {name: format_candidates(row.searched) for name, row in OPTIONS.items()}
    assert narrowed(SearchConfig(**everything)) == {}  # type: ignore[arg-type]
    assert search_definition(SearchConfig(**everything)) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"loss": "focall"}, "loss 'focall' is none of binary_crossentropy, .* mean 'focal'?"),
        ({"pooling": "avg,maximal"}, "pooling 'maximal' is none of avg, max, "),
        ({"dropout": "a lot"}, "dropout 'a lot' is no number from 0 to 0.95: give one, several"),
        ({"dropout": "1.5"}, r"dropout '1.5' is no number from 0 to 0.95.*\(0..0.6\)"),
        ({"dropout": "nan"}, "dropout 'nan' is no number"),
        ({"dropout": "0.5..0.1"}, "dropout '0.5..0.1' is no range: its first number"),
        ({"dropout": ","}, "dropout ',' is no number"),
        ({"units": "1.5"}, "units '1.5' is no whole number from 0 to 8192"),
        ({"weight_decay": "0..0.1"}, "weight_decay '0..0.1' begins at 0, .* weight_decay=0,0.1"),
        ({"batch_norm": "maybe"}, "batch_norm 'maybe' is none of false, true "),
        (
            {"fine_learning_rate": "0.001"},
            r"fine_learning_rate is no option of mobilenetv3_small \(frozen\); leave it out.",
        ),
        (
            {"classifier": "logistic_regression", "dropout": "0.3"},
            "dropout is an option of classifier 'head', and classifier is 'logistic_regression'",
        ),
        ({"classifier": "head", "C": "1"}, "C is an option of classifier 'logistic_regression'"),
        (
            {"pooling": "max2x2", "features": "all_blocks"},
            "pooling 'max2x2' reads the last map alone, and features is 'all_blocks'",
        ),
        (
            {"sampler": "grid", "classifier": "head"},
            "sampler 'grid' tries listed values, and dropout, learning_rate, weight_decay are "
            "ranges: fix or list them, as dropout=0,0.6",
        ),
        ({"sampler": "cmaes"}, "one classifier: fix classifier to 'head'"),
        (
            {"sampler": "cmaes", "classifier": "logistic_regression"},
            "two ranges of numbers or more, and there is one: take 'tpe'",
        ),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, str], says: str) -> None:
    search = SearchConfig(**options)  # type: ignore[arg-type]  # all of these are texts
    with pytest.raises(UsageError, match=says):
        checked(StudyConfig(model="mobilenetv3_small", search=search))


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("simple_cnn", {"C": "1"}, "C is no option of simple_cnn; leave it out."),
        (
            "simple_cnn",
            {"features": "last+residual"},
            "features 'last.residual' is nothing that simple_cnn has: all_blocks, last.",
        ),
        (
            "simple_cnn",
            {"classifier": "logistic_regression"},
            "classifier 'logistic_regression' is nothing that simple_cnn has: head.",
        ),
    ],
)
def test_what_a_network_has_not_is_refused(model: str, options: dict[str, str], says: str) -> None:
    search = SearchConfig(**options)  # type: ignore[arg-type]  # all of these are texts
    with pytest.raises(UsageError, match=says):
        checked(StudyConfig(model=model, search=search))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pooling": "avg"}, "pooling is no option of residual; leave it out."),
        ({"features": "last"}, "features 'last' is nothing that residual has: residual."),
    ],
)
def test_statistics_without_a_network_have_no_maps(options: dict[str, str], says: str) -> None:
    search = SearchConfig(**options)  # type: ignore[arg-type]  # all of these are texts
    with pytest.raises(UsageError, match=says):
        checked(StudyConfig(model="residual", search=search))


def test_a_suites_network_leaves_what_it_has_not_to_the_search() -> None:
    search = SearchConfig(classifier="logistic_regression", features="last,last+residual", C="0.1")
    shared = StudyConfig(data="synthetic", search=search)
    asked = SuiteConfig(models="simple_cnn,vgg16", study=shared)
    checked(asked)
    scratch, frozen = suite_studies(asked)
    assert frozen.search == search
    assert scratch.search == SearchConfig(features="last")


def test_what_is_fixed_is_in_the_name_and_the_definition() -> None:
    search = SearchConfig(loss="hinge,focal", dropout="0.30", patience=0)
    asked = StudyConfig(model="mobilenetv3_small", weights="random", search=search)
    title = make_plan(asked).title
    assert title.endswith("random weights, dropout 0.3, loss focal,hinge, patience 0")
    assert search_definition(search) == {"dropout": "0.3", "loss": "focal,hinge", "patience": 0}
