"""What can be told wrong with a request before anything heavy is loaded."""

import re

from fakeface_bench.architectures.catalogue import architecture_named
from fakeface_bench.architectures.fine_tuning import Unfrozen, unfrozen_part
from fakeface_bench.architectures.weights_spec import check_weights_spec
from fakeface_bench.config import AUTO, SEARCHED, AuditConfig, StudyConfig
from fakeface_bench.data.sources import check_data
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import existing_path

#: Below this no `keras.applications` network keeps a map of more than one position.
MIN_IMAGE_SIZE = 32
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
    output = existing_path(config.output) if config.output else None
    if output and not output.is_dir():
        raise UsageError(f"output {config.output!r} is a file; name a folder.")
