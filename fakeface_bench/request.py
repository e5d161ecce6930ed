"""What can be told wrong with a request before anything heavy is loaded."""

import re
from pathlib import Path

from fakeface_bench.architectures.catalogue import architecture_named
from fakeface_bench.architectures.fine_tuning import Unfrozen, unfrozen_part
from fakeface_bench.architectures.weights_spec import check_weights_spec
from fakeface_bench.config import (
    AUTO,
    BEST,
    SEARCHED,
    UNTOUCHED,
    AuditConfig,
    CompareConfig,
    RegisterConfig,
    StudyConfig,
    equalising_quality,
)
from fakeface_bench.data.sources import check_data
from fakeface_bench.data.survey import check_layouts
from fakeface_bench.errors import UsageError
from fakeface_bench.search.storage_address import check_storage
from fakeface_bench.tracking.refusals import (
    check_storage_apart,
    check_store_address,
    check_store_is_there,
)

#: Below this no `keras.applications` network keeps a map of more than one position.
MIN_IMAGE_SIZE = 32
#: MLflow forbids slashes and colons, which its addresses are made of; so is the at sign.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9. _-]{0,99}")
_STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_request(config: StudyConfig) -> None:
    """Refuse names that nothing answers to, and sizes out of range.

    Raises:
        UsageError: With what arrived, what is allowed, and what to do.
        DataError: If a folder holds no labels that are understood.
    """
    check_store_address()
    check_storage(config.storage)
    check_storage_apart(config.storage)
    architecture = architecture_named(config.model)
    check_weights_spec(config.weights, architecture)
    _check_tuning(config, unfrozen_part(config.fine_tune, architecture))
    if equalising_quality(config.equalise) is None:
        raise UsageError(
            f"equalise {config.equalise!r} is neither {UNTOUCHED!r}, nor 'jpeg', nor a quality "
            "from 'jpeg1' to 'jpeg100'."
        )
    check_data(config.data, config.classes)
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
    check_layouts(config.data, config.classes)


def check_explain(output: str) -> None:
    """Refuse a folder that cannot be written to before a model is loaded.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    if not output:
        raise UsageError("output is empty; name a folder for the pictures.")
    check_output(output)


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
    check_store_address()
    check_store_is_there()


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
    check_store_address()
    check_data(config.data, config.classes)
    check_output(config.output)
    check_layouts(config.data, config.classes)


def check_compare(config: CompareConfig) -> None:
    """Refuse what can be told wrong with a request before MLflow is asked.

    Raises:
        UsageError: With what arrived and what is allowed.
    """
    if config.data and config.runs:
        raise UsageError("data and runs both choose the studies; give one of them.")
    if config.runs and not config.run_ids:
        raise UsageError(f"runs {config.runs!r} names none; give ids of MLflow runs.")
    check_store_address()
    check_store_is_there()
    check_output(config.output)


def check_output(name: str) -> None:
    """Refuse a folder to write to that is a file.

    Raises:
        UsageError: With what arrived.
    """
    try:
        output = Path(name).expanduser()
    except RuntimeError as error:
        raise UsageError(f"output {name!r} is no folder: {error}") from error
    if name and output.exists() and not output.is_dir():
        raise UsageError(f"output {name!r} is a file; name a folder.")
