"""What can be told wrong with a request for several studies, and which studies it asks for."""

from collections.abc import Sequence
from dataclasses import replace

from fakeface_bench.architectures.catalogue import architecture_named
from fakeface_bench.architectures.weights_spec import check_weights_spec
from fakeface_bench.config import AUTO, FROZEN, SEARCHED, StudyConfig, SuiteConfig
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import existing_path
from fakeface_bench.request import check_output, check_request


def check_suite(config: SuiteConfig) -> None:
    """Refuse a suite of which any study could not begin.

    Raises:
        UsageError: With what arrived, what is allowed, and what to do.
    """
    check_output(config.output)
    check_models(config.model_names, config.study.weights)
    for study in suite_studies(config):
        check_request(study)


def check_models(names: Sequence[str], weights: str) -> None:
    """Refuse architectures that do not exist or stand there twice, and weights of others.

    Args:
        names: Keys or aliases.
        weights: For all of them, or `MODEL=FILE` pairs.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    if not names:
        raise UsageError("models is empty; name architectures, joined by commas.")
    known = [architecture_named(name).key for name in names]
    twice = [key for key in known if known.count(key) > 1]
    if twice:
        raise UsageError(f"models names {twice[0]!r} twice; name each architecture once.")
    strangers = sorted(set(named_weights(weights)) - {*known, *names})
    if strangers:
        raise UsageError(
            f"weights are given for {strangers[0]!r}, which is not among models "
            f"{','.join(names)!r}."
        )
    for name, file in named_weights(weights).items():
        check_weights_spec(file, architecture_named(name))


def suite_studies(config: SuiteConfig) -> list[StudyConfig]:
    """Return the studies of a suite, in the order of its models."""
    return [study_of(config.study, name) for name in config.model_names]


def named_weights(weights: str) -> dict[str, str]:
    """Return the file of each model in `model=FILE,model=FILE`; nothing of other weights."""
    if existing_path(weights):
        return {}
    pairs = [part.partition("=") for part in weights.split(",")]
    if not all(equals for _, equals, _ in pairs):
        return {}
    return {model.strip(): file.strip() for model, _, file in pairs}


def study_of(shared: StudyConfig, model: str) -> StudyConfig:
    """Return the study of one model among several that share a request.

    What a network has no use for it is not asked: weights and fine-tuning where it trains from
    scratch, augmentation and precision where only its head trains.

    Args:
        shared: The request; its `weights` may be `MODEL=FILE` pairs.
        model: Key or alias of the architecture.
    """
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
