"""What can be told wrong with a request before anything heavy is loaded."""

import re
from dataclasses import replace
from pathlib import Path

from fakeface_bench.architectures.catalogue import architecture_named
from fakeface_bench.architectures.fine_tuning import Unfrozen, unfrozen_part
from fakeface_bench.architectures.weights_spec import check_weights_spec
from fakeface_bench.config import (
    AUTO,
    BEST,
    FROZEN,
    SEARCHED,
    AuditConfig,
    CompareConfig,
    RegisterConfig,
    StudyConfig,
    SuiteConfig,
)
from fakeface_bench.data.sources import check_data
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import existing_path

#: Below this no `keras.applications` network keeps a map of more than one position.
MIN_IMAGE_SIZE = 32
#: MLflow forbids slashes and colons, which its addresses are made of; so is the at sign.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9. _-]{0,99}")
_STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_request(config: StudyConfig) -> None:
    """Refuse names that nothing answers to, and sizes out of range.

    Raises:
        UsageError: With what arrived, what is allowed, and what to do.
    """
    architecture = architecture_named(config.model)
    check_weights_spec(config.weights, architecture)
    _check_tuning(config, unfrozen_part(config.fine_tune, architecture))
    check_data(config.data)
    if config.image_size and config.image_size < MIN_IMAGE_SIZE:
        raise UsageError(
            f"image_size {config.image_size} is too small: at least {MIN_IMAGE_SIZE} pixels, "
            "or 0 for the architecture's own."
        )
    if config.study and not _STUDY_NAME.fullmatch(config.study):
        raise UsageError(
            f"study {config.study!r} is no name: letters, digits, '.', '_' and '-', "
            "at most 100 of them, the first a letter or digit."
        )
    if config.register:
        _check_model_name("register", config.register)


def check_explain(output: str) -> None:
    """Refuse a folder that cannot be written to before a model is loaded.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    if not output:
        raise UsageError("output is empty; name a folder for the pictures.")
    _check_output(output)


def check_register(config: RegisterConfig) -> None:
    """Refuse what can be told wrong with a request before MLflow is asked.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    _check_model_name("name", config.name)
    if not config.run:
        raise UsageError(f"run is empty; give the id of a study's MLflow run, or {BEST!r}.")
    if config.data_digest and config.run != BEST:
        raise UsageError("data_digest chooses among studies, and run names one; give one of them.")


def _check_model_name(parameter: str, name: str) -> None:
    if not _MODEL_NAME.fullmatch(name):
        raise UsageError(
            f"{parameter} {name!r} is no name of a model: letters, digits, spaces, '.', '_' and "
            "'-', at most 100 of them, the first a letter or digit."
        )


def _check_tuning(config: StudyConfig, unfrozen: Unfrozen) -> None:
    if not unfrozen.anything:
        for name, value, default in (
            ("augment", config.augment, SEARCHED),
            ("precision", config.precision, AUTO),
        ):
            if value != default:
                raise UsageError(
                    f"{name} {value!r} is for layers that are trained, and fine_tune is "
                    f"{unfrozen.label!r}: name layers with fine_tune, or leave {name} out."
                )
    elif config.augment == "strong" and not unfrozen.everything:
        raise UsageError(
            f"augment 'strong' needs fine_tune 'all': with {unfrozen.label!r} the layers below are "
            "frozen and run once an image; 'none', 'light' (mirroring) or 'search'."
        )


def check_audit(config: AuditConfig) -> None:
    """Refuse what can be told wrong with a request before anything is read.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    check_data(config.data)
    _check_output(config.output)


def check_compare(config: CompareConfig) -> None:
    """Refuse what can be told wrong with a request before MLflow is asked.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    if config.data and config.runs:
        raise UsageError("data and runs both choose the studies; give one of them.")
    if config.runs and not config.run_ids:
        raise UsageError(f"runs {config.runs!r} names none; give ids of MLflow runs.")
    _check_output(config.output)


def check_suite(config: SuiteConfig) -> None:
    """Refuse a suite of which any study could not begin.

    Raises:
        UsageError: With what arrived, what is allowed, and what to do.
    """
    _check_output(config.output)
    if not config.model_names:
        raise UsageError("models is empty; name architectures, joined by commas.")
    known = [architecture_named(name).key for name in config.model_names]
    twice = [key for key in known if known.count(key) > 1]
    if twice:
        raise UsageError(f"models names {twice[0]!r} twice; name each architecture once.")
    strangers = sorted(set(named_weights(config.study.weights)) - {*known, *config.model_names})
    if strangers:
        raise UsageError(
            f"weights are given for {strangers[0]!r}, which is not among models {config.models!r}."
        )
    for name, weights in named_weights(config.study.weights).items():
        check_weights_spec(weights, architecture_named(name))
    for study in suite_studies(config):
        check_request(study)


def suite_studies(config: SuiteConfig) -> list[StudyConfig]:
    """Return the studies of a suite, in the order of its models.

    What a network has no use for it is not asked: weights and fine-tuning where it trains from
    scratch, augmentation and precision where only its head trains.
    """
    return [_suite_study(config.study, name) for name in config.model_names]


def named_weights(weights: str) -> dict[str, str]:
    """Return the file of each model in `model=FILE,model=FILE`; nothing of other weights."""
    if existing_path(weights):
        return {}
    pairs = [part.partition("=") for part in weights.split(",")]
    if not all(equals for _, equals, _ in pairs):
        return {}
    return {model.strip(): file.strip() for model, _, file in pairs}


def _suite_study(shared: StudyConfig, model: str) -> StudyConfig:
    architecture = architecture_named(model)
    study = replace(shared, model=model)
    if not architecture.pretrained:
        return replace(study, weights=AUTO, fine_tune=FROZEN)
    if study.fine_tune == FROZEN:
        study = replace(study, augment=SEARCHED, precision=AUTO)
    named = named_weights(shared.weights)
    if not named:
        return study
    return replace(study, weights=named.get(model) or named.get(architecture.key) or AUTO)


def _check_output(name: str) -> None:
    try:
        output = Path(name).expanduser()
    except RuntimeError as error:
        raise UsageError(f"output {name!r} is no folder: {error}") from error
    if name and output.exists() and not output.is_dir():
        raise UsageError(f"output {name!r} is a file; name a folder.")
