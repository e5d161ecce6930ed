"""Weights of foundation models: a preset of keras-hub, a folder of one, or random values."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fakeface_bench.backbones.catalogue import ARCHITECTURES, Architecture, Preset
from fakeface_bench.support.disk import existing_path
from fakeface_bench.support.errors import UsageError, shortened

PRESET_WORDS = ("auto", "pretrained", "random")
#: Files of a preset: what it is, its values (or, in several files, what is where), and what its
#: pictures go through, in either of two forms.
_CONFIG = "config.json"
_VALUES = ("model.weights.h5", "model.weights.json")
_CONVERTERS = ("image_converter.json", "preprocessor.json")
#: Where kagglehub downloads presets from.
PRESET_HOST = ("api.kaggle.com", 443)
_INSTALL = "pip install 'fakeface_bench[foundation]'"


@dataclass(frozen=True, slots=True)
class Family:
    """What keras-hub calls networks of one kind.

    Attributes:
        network: Class in `keras_hub.models` of what sees pictures.
        preset: Class there that presets are of; of pairs of picture and text it holds both.
        side: Attribute of that class which is what sees pictures; empty where it is all.
        any_side: Whether positions are interpolated to the side that is asked for; otherwise a
            preset has its own.
    """

    network: str
    preset: str
    side: str = ""
    any_side: bool = False


FAMILIES: Mapping[str, Family] = {
    "dinov2": Family("DINOV2Backbone", "DINOV2Backbone", any_side=True),
    "dinov3": Family("DINOV3Backbone", "DINOV3Backbone", any_side=True),
    "clip": Family("CLIPVisionEncoder", "CLIPBackbone", "vision_encoder"),
    "siglip": Family("SigLIPVisionEncoder", "SigLIPBackbone", "vision_encoder"),
    "vit": Family("ViTBackbone", "ViTBackbone"),
    "mobilenetv5": Family("MobileNetV5Backbone", "MobileNetV5Backbone", any_side=True),
}


def check_preset_spec(spec: str, architecture: Architecture) -> None:
    """Refuse weights that a foundation model does not take, before anything is built.

    Raises:
        UsageError: With what arrived, what is allowed, and what to do.
    """
    preset = preset_of(architecture)
    if find_spec("keras_hub") is None:
        raise UsageError(
            f"{architecture.key} is a network of keras-hub, which is not installed: {_INSTALL}"
        )
    if spec in PRESET_WORDS:
        return
    path = existing_path(spec)
    if spec == "imagenet" or not (path and path.is_dir()):
        raise UsageError(
            f"weights {spec!r} is nothing that {architecture.key} starts from; it is 'auto', "
            f"'pretrained' ({preset.name} of keras-hub), 'random', or a folder that "
            "save_to_preset wrote."
        )
    _check_folder(spec, path, architecture)


def _check_folder(spec: str, folder: Path, architecture: Architecture) -> None:
    missing = [_CONFIG] if not (folder / _CONFIG).is_file() else []
    missing += [] if any((folder / name).is_file() for name in _VALUES) else [_VALUES[0]]
    if missing:
        raise UsageError(
            f"weights {spec!r} is no preset of keras-hub: it has no {' and no '.join(missing)}; "
            "save_to_preset writes both."
        )
    found = _read(folder / _CONFIG)
    if _is_of(found, preset_of(architecture)):
        return
    kind = str(found.get("class_name", "nothing known"))
    alike = [row.key for row in ARCHITECTURES if row.preset and _is_of(found, row.preset)]
    hint = f"; take model={alike[0]}" if alike else ", or one of another size"
    raise UsageError(f"weights {spec!r} is no {architecture.key}: it is a {kind}{hint}.")


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object; an empty one where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_of(found: Mapping[str, Any], preset: Preset) -> bool:
    """Whether a saved configuration is of the network that a row names, at any side."""
    family = FAMILIES[preset.family]
    config = found.get("config", {})
    if family.side and found.get("class_name") == family.preset:
        inner = config.get(family.side, {})
        config = inner.get("config", inner)
    elif found.get("class_name") != family.network:
        return False
    return all(_plain(config.get(key)) == _plain(value) for key, value in preset.config.items())


def _plain(value: Any) -> Any:
    """Return a setting as JSON has it; of a patch both sides, which some state as one."""
    plain = json.loads(json.dumps(value))
    return plain[0] if isinstance(plain, list) and len(set(map(str, plain))) == 1 else plain


def folder_label(folder: Path) -> str:
    """Return the label of a preset's folder: `file:` and 12 digits of a SHA-256 of its values."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("model*.weights.*")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"file:{digest.hexdigest()[:12]}"


def says_what_pixels_become(folder: Path) -> bool:
    """Whether a preset's folder says what is done to pixels before its network."""
    return any((folder / name).is_file() for name in _CONVERTERS)


def is_cached(preset: Preset) -> bool:
    """Whether kagglehub has the values of a preset, whole; it would take a second to import."""
    root = Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub")
    variation, number = preset.handle.rsplit("/", 1)
    marks = root / "models" / variation / ".complete" / number
    return any((marks / f"{name}.complete").is_file() for name in _VALUES)


def why_not_delivered(architecture: Architecture) -> str | None:
    """Fetch a preset into kagglehub's cache, and return why that failed; None where it did not."""
    from keras_hub.layers import ImageConverter
    from keras_hub.models import Backbone

    name = preset_of(architecture).name
    try:
        Backbone.from_preset(name)
        ImageConverter.from_preset(name)
    except Exception as error:  # whatever keras-hub, kagglehub, Keras and h5py raise
        return shortened(error)
    return None


def how_to_get_preset(preset: Preset) -> str:
    """Say how the weights of a foundation model come to be here."""
    return (
        f"To get them, run once with a network, or pass a folder with weights=FOLDER, which "
        f"keras_hub.models.Backbone.from_preset({preset.name!r}).save_to_preset(FOLDER) writes "
        "elsewhere."
    )


def preset_of(architecture: Architecture) -> Preset:
    if architecture.preset is None:
        raise ValueError(f"{architecture.key} is no network of keras-hub")
    return architecture.preset
