"""Rows of the catalogue small enough to build in a test, with all their parts."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from fakeface_bench.backbones.catalogue import ARCHITECTURES, Architecture

#: Small enough to be quick, large enough for every row (Xception needs 71).
SIZE = 80
_NARROW = {
    "patch_size": 16,
    "hidden_dim": 32,
    "num_heads": 2,
    "intermediate_dim": 64,
    "mlp_dim": 64,
    "num_features": 64,
    "msfa_output_resolution": SIZE // 16,
}
_CHANNELS = ("stackwise_num_filters", "stackwise_key_dims", "stackwise_value_dims")


def small(architecture: Architecture) -> Architecture:
    """Make a foundation model narrow, with as many blocks; others are small at `SIZE` pixels."""
    if architecture.preset is None:
        return architecture
    config = {key: _narrowed(key, value) for key, value in architecture.preset.config.items()}
    preset = replace(architecture.preset, config=config)
    return replace(architecture, preset=preset, parameters=0, image_size=SIZE)


def _narrowed(key: str, value: Any) -> Any:
    if key in _CHANNELS:
        return [[width // 16 for width in stage] for stage in value]
    return _NARROW.get(key, value)


#: Wider or deeper ones of a class that a row before them stands for.
ALIKE = ("dinov2_base", "dinov3_base", "clip_vit_l14")
SMALL: tuple[Architecture, ...] = tuple(small(row) for row in ARCHITECTURES if row.key not in ALIKE)
PRETRAINED: Mapping[str, Architecture] = {row.key: row for row in SMALL if row.pretrained}
#: One network of each library that is quick to build.
QUICK = ("mobilenetv3_small", "dinov3_small")


def slow_but(quick: Iterable[str], rows: Iterable[Architecture]) -> pytest.MarkDecorator:
    """Run a test with each row as `architecture`, in every run with those of some keys alone."""
    kept = set(quick)
    marked = [row if row.key in kept else pytest.param(row, marks=pytest.mark.slow) for row in rows]
    return pytest.mark.parametrize("architecture", marked, ids=lambda row: row.key)


#: Foundation models are slow to build, but for one.
NOT_SLOW = [row.key for row in ARCHITECTURES if row.preset is None or row.key in QUICK]


FOUNDATION: Mapping[str, Architecture] = {
    key: row for key, row in PRETRAINED.items() if row.preset is not None
}
