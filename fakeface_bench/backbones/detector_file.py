"""A detector of others: what the description beside its file says of how to read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakeface_bench.backbones.description import (
    CHANNELS_FIRST,
    PROBABILITIES,
    how_to_state_pixels,
    read_description,
)
from fakeface_bench.backbones.file_facts import FileFacts, read_file
from fakeface_bench.backbones.network_file import file_named
from fakeface_bench.config import USUAL_THRESHOLD
from fakeface_bench.support.disk import existing_path
from fakeface_bench.support.errors import UsageError

#: Of a detector that is a folder, where none lies beside it.
_INSIDE_FOLDER = "detector.yaml"


@dataclass(frozen=True, slots=True)
class DetectorDescription:
    """How a detector's pictures and scores are to be understood.

    Attributes:
        path: Of its file, or of the folder of an MLflow model.
        image_size: Side of the pictures it takes, in pixels.
        fit: How a picture is brought to that, one of `config.FITS`.
        channels_first: Whether it takes (images, channels, height, width).
        pixels: What 0 and 255 become before it, by channel as it takes them.
        bgr: Whether it takes blue first.
        fake: Place of fake among its scores; of a single one 1 where high is fake, 0 where low is.
        scores: `PROBABILITIES` or `LOGITS`.
        output: Name of the output that gives them; empty where there is one alone.
        threshold: Probability from which it calls a picture fake.
        trained_on: Datasets it was trained on, joined by `+`; empty where that is not known.
    """

    path: Path
    image_size: int
    fit: str
    channels_first: bool
    pixels: tuple[tuple[float, ...], tuple[float, ...]]
    bgr: bool
    fake: int
    scores: str
    output: str
    threshold: float
    trained_on: str


def detector_file(name: str, description: str) -> DetectorDescription | None:
    """Read what a file that a user names as a model is; None where it is no Keras or ONNX file.

    Args:
        description: Path of its description; empty for the one beside it.

    Raises:
        UsageError: If file or description cannot be used, in one line with what to do.
    """
    path = file_named(name)
    if path is None or path.is_dir():
        return None
    if not path.is_file():
        raise UsageError(f"no model {name!r}: there is no such file.")
    try:
        return described(path, read_file(path, ours=True), description)
    except UsageError as error:
        raise UsageError(f"model {name!r} cannot be used: {error}.") from error


def described(path: Path, facts: FileFacts, description: str) -> DetectorDescription:
    """Join what a detector itself says with what its description does.

    Raises:
        UsageError: If that leaves open what must be known.
    """
    beside = _description_of(path, description)
    stated = read_description(beside, facts)
    pixels = stated.get("pixels") or _range_within(facts)
    side = facts.side or int(stated.get("image_size", 0))
    output = _output_of(beside.name, stated, facts)
    if "fake" not in stated:
        raise UsageError(
            f"{beside.name} does not say which score stands for fake: write 'fake: 1' (of one "
            "score: 1 where high is fake, 0 where low is; of several, its place from 0 on)"
        )
    if pixels is None:
        raise UsageError(f"nothing tells what it takes: {how_to_state_pixels(beside.name)}")
    if not side:
        raise UsageError(
            f"it takes pictures of any side: write the one it was trained with into {beside.name}, "
            "such as 'image_size: 224'"
        )
    return DetectorDescription(
        path=path,
        image_size=side,
        fit=stated.get("fit", "crop"),
        channels_first=facts.channels_first or stated.get("layout") == CHANNELS_FIRST,
        pixels=pixels,
        bgr=stated.get("channels") == "bgr",
        fake=stated["fake"],
        scores=stated.get("scores", PROBABILITIES),
        output=output,
        threshold=stated.get("threshold", USUAL_THRESHOLD),
        trained_on=stated.get("trained_on", ""),
    )


def _range_within(facts: FileFacts) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return 0 to 255 where a file begins with what scales pixels; None where that is not told."""
    try:
        return facts.pixels
    except UsageError:  # of a graph that cannot be read, which runs all the same
        return None


def _output_of(file: str, stated: Mapping[str, Any], facts: FileFacts) -> str:
    output = str(stated.get("output", ""))
    if not output and len(facts.outputs) > 1:
        raise UsageError(
            f"it has {len(facts.outputs)} outputs ({', '.join(facts.outputs)}): write which gives "
            f"the scores into {file}, such as 'output: {facts.outputs[0]}'"
        )
    return output or "".join(facts.outputs)


def _description_of(path: Path, named: str) -> Path:
    """Return the description of a detector: as named, beside it, or in its folder.

    Raises:
        UsageError: If there is none.
    """
    if named:
        found = existing_path(named)
        if found is None or not found.is_file():
            raise UsageError(f"description {named!r} is no file")
        return found
    beside = path.parent / f"{path.name if path.is_dir() else path.stem}.yaml"
    if beside.is_file():
        return beside
    inside = path / _INSIDE_FOLDER
    if inside.is_file():
        return inside
    raise UsageError(
        f"nothing says how to read it: write {beside}, with lines such as 'pixels: [0, 1]' (what 0 "
        "and 255 become), 'fake: 1' (which score stands for it) and 'threshold: 0.5'"
    )
