"""A user's own network: the row of the catalogue that is made of its file.

`NETWORK.keras` or `NETWORK.onnx` is the file; `NETWORK.yaml` beside it is its description.
"""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from fakeface_bench.backbones.catalogue import Architecture, NetworkFile, architecture_named
from fakeface_bench.backbones.description import how_to_state_pixels, read_description
from fakeface_bench.backbones.file_facts import KERAS_SUFFIX, ONNX_SUFFIX, read_file
from fakeface_bench.support.disk import existing_path
from fakeface_bench.support.errors import UsageError

ONNX_PREFIX = "onnx:"
_LONGEST_KEY = 60


def network_named(name: str) -> Architecture:
    """Return a row of the catalogue, or one made for the network of a user's file.

    Raises:
        UsageError: If there is neither, or the file cannot be used: with what to do.
    """
    path = file_named(name)
    if path is None and "/" in name:
        raise UsageError(
            f"model {name!r} is no network that can be read: a file that Keras's "
            f"model.save('NAME{KERAS_SUFFIX}') wrote, or NAME{ONNX_SUFFIX}."
        )
    if path is None:
        return architecture_named(name)
    try:
        content = path.stat()
    except OSError as error:
        raise UsageError(f"model {name!r} cannot be read: {error.strerror}.") from error
    beside = path.with_suffix(".yaml")
    described = beside.stat().st_mtime_ns if beside.is_file() else 0
    try:
        return _read(path.absolute(), content.st_mtime_ns, content.st_size, described)
    except UsageError as error:
        raise UsageError(f"model {name!r} cannot be used: {error}.") from error


def file_named(name: str) -> Path | None:
    """Return the Keras or ONNX file that a name means, be it there or not; None for any other."""
    text = name.removeprefix(ONNX_PREFIX)
    path = existing_path(text) or Path(text)
    suffix = path.suffix.lower()
    if suffix in (KERAS_SUFFIX, ONNX_SUFFIX) or text != name:
        if text != name and suffix != ONNX_SUFFIX:
            raise UsageError(f"model {name!r} names no ONNX file: {ONNX_PREFIX}NAME{ONNX_SUFFIX}.")
        return path
    return None


@lru_cache(maxsize=32)
def _read(path: Path, _changed: int, _size: int, _described: int) -> Architecture:
    """Read a file; again where it, or the description beside it, has changed."""
    found = read_file(path)
    stated = read_description(path.with_suffix(".yaml"), found)
    blocks, last = found.blocks_and_last
    if "blocks" in stated or "last" in stated:
        last = stated.get("last", last)
        names = [operation.name for operation in found.operations]
        below = names[: names.index(last)]
        blocks = tuple(name for name in below if name in stated.get("blocks", blocks))
    pixels = stated.get("pixels") or found.pixels
    if pixels is None and not found.statistics:
        raise UsageError(
            "nothing in it tells what pixels become before it (no Rescaling or Normalization comes "
            "first, and no BatchNormalization after its first convolution): "
            f"{how_to_state_pixels(path.with_suffix('.yaml').name)}"
        )
    side = found.side or int(stated.get("image_size", 0))
    file = NetworkFile(
        path=path,
        digest=_digest_with(found.digest, pixels, stated.get("channels"), blocks, last),
        pixels=pixels,
        bgr=stated.get("channels", "rgb") == "bgr",
        last=last,
        statistics=found.statistics,
        scaling=found.scaling,
        any_side=not found.side,
        channels_first=found.channels_first,
        maps_channels_first=tuple(
            operation.channels_first
            for name in (*blocks, last)
            for operation in found.operations
            if operation.name == name
        ),
        stated=tuple(stated),
    )
    return Architecture(
        key=_key_of(path),
        application="",
        preprocessing="inside",
        image_size=side,
        parameters=0,
        mmacs=0,
        blocks=blocks,
        onnx=found.exportable,
        file=file,
    )


def _digest_with(digest: str, *read: Any) -> str:
    """Return a digest of a network and of how it is read."""
    return hashlib.sha256(json.dumps([digest, *read]).encode()).hexdigest()[:12]


def _key_of(path: Path) -> str:
    """Return what a network is called in tables: its file's name, as every system takes it."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", path.name)
    return plain if len(plain) <= _LONGEST_KEY else f"{plain[:40]}_{plain[-19:]}"
