"""What can be told wrong with a test elsewhere before anything heavy is loaded."""

from collections.abc import Sequence
from dataclasses import replace

from fakeface_bench.config import (
    BEST,
    EvaluateConfig,
    GeneraliseConfig,
    RobustnessConfig,
    StudyConfig,
)
from fakeface_bench.data.class_words import named_classes
from fakeface_bench.data.sources import (
    JOINT,
    check_data,
    source_identities,
    source_names,
    split_data,
)
from fakeface_bench.data.survey import check_layouts
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import existing_path
from fakeface_bench.request import check_output, check_request
from fakeface_bench.suite_request import check_models, study_of
from fakeface_bench.tracking.model_address import model_folder
from fakeface_bench.tracking.refusals import check_store_address, check_store_is_there


def check_evaluate(config: EvaluateConfig) -> None:
    """Refuse an evaluation that cannot begin.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    if not config.model:
        raise UsageError("model is empty; give its address, the id of its run, or 'best'.")
    named_classes(config.classes)
    _check_sets("data", config.data, config.test_sets)
    _check_names(config.test_sets)
    check_output(config.output)
    _check_models([config.model])
    for data in config.test_sets:
        check_layouts(data, config.classes, one_class=True)


def check_robustness(config: RobustnessConfig) -> None:
    """Refuse a test of robustness that cannot begin.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    names = config.model_names
    if not names:
        raise UsageError("models is empty; give addresses, ids of runs, or 'best'.")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"models names {twice[0]!r} twice; name each model once.")
    if config.data:
        check_data(config.data, config.classes)
    elif config.classes:
        raise UsageError(
            "classes names the folders of data, and data is empty: the first model's own test "
            "split is read as its study read it; leave classes out, or name a test set."
        )
    check_output(config.output)
    _check_models(names)
    if config.data:
        check_layouts(config.data, config.classes, one_class=True)


def _check_models(names: Sequence[str]) -> None:
    """Refuse what names no model, and a store to take one from, or to write to, that is none."""
    check_store_address()
    if [name for name in names if name == BEST or model_folder(name) is None]:
        check_store_is_there()


def check_generalise(config: GeneraliseConfig) -> None:
    """Refuse a matrix of which any study could not begin.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    _check_sets("train", config.train, config.training_sets)
    _check_sets("test", config.test, test_sets(config))
    _check_names([*config.training_sets, *test_sets(config)])
    check_output(config.output)
    check_models(config.model_names, config.study.weights)
    for study in row_studies(config):
        check_request(study)
    for data in test_sets(config):
        check_layouts(data, config.study.classes, one_class=True)
    several = any(len(split_data(data)) > 1 for data in config.training_sets)
    if config.hold_out == "source" and not several:
        raise UsageError(
            "hold_out 'source' needs several datasets joined by '+' in train; it has "
            f"{config.train!r}."
        )


def row_studies(config: GeneraliseConfig) -> list[StudyConfig]:
    """Return the studies of a matrix's rows, model by model."""
    shared = config.study
    return [
        study_of(replace(shared, data=data), model)
        for model in config.model_names
        for data in config.training_sets
    ]


def test_sets(config: GeneraliseConfig) -> list[str]:
    """Return the test sets that are named, else every dataset that any row trains on."""
    if config.test:
        return config.named_test_sets
    return list(dict.fromkeys(part for data in config.training_sets for part in split_data(data)))


def _check_sets(parameter: str, text: str, sets: Sequence[str]) -> None:
    """Refuse what names no dataset, or one twice, or a folder that commas would take apart."""
    if "," in text and existing_path(text):
        raise UsageError(
            f"{parameter} {text!r} is a folder with a comma in its name, which joins datasets: "
            "rename it."
        )
    if not sets:
        raise UsageError(f"{parameter} is empty; name datasets or folders, joined by commas.")
    for data in sets:
        check_data(data)
    identities = [JOINT.join(sorted(source_identities(data))) for data in sets]
    for data, identity in zip(sets, identities, strict=True):
        if identities.count(identity) > 1:
            raise UsageError(f"{parameter} names {data!r} twice; name each dataset once.")


def _check_names(sets: Sequence[str]) -> None:
    """Refuse different folders of one name, which no table could tell apart."""
    known: dict[str, str] = {}
    for data in sets:
        for name, identity in zip(source_names(data), source_identities(data), strict=True):
            if known.setdefault(name, identity) != identity:
                raise UsageError(
                    f"{known[name]} and {identity} are both called {name!r}, which no table could "
                    "tell apart; rename one."
                )
