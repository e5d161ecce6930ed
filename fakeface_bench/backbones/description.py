"""The description beside a user's own network, or a detector of others: what it may state.

`NETWORK.yaml` states what cannot be found in a file, or is to be otherwise.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from fakeface_bench.backbones.file_facts import FileFacts
from fakeface_bench.backbones.network_graph import carriers
from fakeface_bench.config import FITS
from fakeface_bench.support.errors import UsageError, shortened

#: What a detector's scores may be, and how the pictures it takes may lie in memory.
PROBABILITIES, LOGITS = "probabilities", "logits"
CHANNELS_LAST, CHANNELS_FIRST = "channels_last", "channels_first"


def read_description(path: Path, found: FileFacts) -> dict[str, Any]:
    """Read what a user states of a network or a detector; nothing where there is no such file.

    Raises:
        UsageError: If it is no such description: with the line that is wrong.
    """
    if not path.is_file():
        return {}
    try:
        stated = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path.name} cannot be read: {shortened(error)}") from error
    if not isinstance(stated, dict):
        raise UsageError(f"{path.name} states nothing: lines such as 'pixels: [0, 1]' are needed")
    read: dict[str, Any] = {}
    for key, value in stated.items():
        if key not in _STATED:
            raise UsageError(f"{path.name} states {key!r}; it may state {', '.join(_STATED)}")
        try:
            read[key] = _STATED[key](value, found)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path.name}: {key} {value!r} {error}") from error
    return read


def _stated_pixels(value: Any, _: FileFacts) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        black, white = (
            tuple(map(float, end)) if isinstance(end, list) else (float(end),) * 3 for end in value
        )
    except (TypeError, ValueError):
        black = white = ()
    if len(black) != 3 or len(white) != 3 or black == white:
        raise ValueError(
            "is not what 0 and 255 become: two numbers, such as [0, 1], or two lists of three, as "
            "channels come"
        )
    return black, white


def _stated_side(value: Any, found: FileFacts) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError("is no number of pixels")
    if found.side and value != found.side:
        raise ValueError(f"is not what the file takes, {found.side} px")
    return value


def _stated_block(value: Any, found: FileFacts) -> str:
    operations = found.operations
    position = next((p for p, each in enumerate(operations) if each.name == value), None)
    if position is None:
        raise ValueError("is no layer of it (of ONNX: the name of an output of a node)")
    if position not in carriers(operations):
        raise ValueError("gives no map from which alone the rest follows")
    return str(value)


def _stated_blocks(value: Any, found: FileFacts) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("is no list of layers")
    return tuple(_stated_block(each, found) for each in value)


def _one_of(*known: str) -> Callable[[Any, FileFacts], str]:
    def check(value: Any, _: FileFacts) -> str:
        if value not in known:
            raise ValueError(f"is neither {' nor '.join(known)}")
        return str(value)

    return check


def _stated_fake(value: Any, _: FileFacts) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(
            "is no number of a score: the place of fake among its scores, from 0 on; of a single "
            "score 1 where high is fake, 0 where low is"
        )
    return value


def _stated_output(value: Any, found: FileFacts) -> str:
    if found.outputs and value not in found.outputs:
        raise ValueError(f"is no output of it: {', '.join(found.outputs)}")
    return str(value)


def _stated_threshold(value: Any, _: FileFacts) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("is no probability within 0 and 1")
    return float(value)


def _stated_data(value: Any, _: FileFacts) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("names no dataset or folder; several are joined by '+'")
    return value


#: What a description may state, and what checks it.
_STATED: Mapping[str, Callable[[Any, FileFacts], Any]] = {
    "image_size": _stated_side,
    "pixels": _stated_pixels,
    "channels": _one_of("rgb", "bgr"),
    "blocks": _stated_blocks,
    "last": _stated_block,
    # Of a detector, which is used as it is:
    "fit": _one_of(*FITS),
    "fake": _stated_fake,
    "scores": _one_of(PROBABILITIES, LOGITS),
    "output": _stated_output,
    "threshold": _stated_threshold,
    "trained_on": _stated_data,
    "layout": _one_of(CHANNELS_LAST, CHANNELS_FIRST),
}


def how_to_state_pixels(description: str) -> str:
    """Say what to write into a description."""
    return (
        f"write what it was trained with into {description}, such as 'pixels: [0, 1]' or "
        "'pixels: [-1, 1]'"
    )
