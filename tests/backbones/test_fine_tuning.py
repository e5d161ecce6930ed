"""What `fine_tune` may say, and which part of a backbone it then trains."""

import keras
import numpy as np
import pytest

from fakeface_bench.backbones.building import build_backbone, open_backbone
from fakeface_bench.backbones.catalogue import Architecture, architecture_named
from fakeface_bench.backbones.cut import CutBackbone, cut_backbone
from fakeface_bench.backbones.fine_tuning import unfrozen_part
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.support.errors import UsageError
from tests.backbones.small_rows import PRETRAINED, QUICK, SIZE

SMALL = architecture_named("mobilenetv3_small")
SLOW = (pytest.mark.slow,)
#: Cuts at a place of their own: a shortcut that is added later, a map that others are joined to.
SPECIAL = {("xception", "last_block"), ("densenet121", "last_block"), ("vgg16", "last_block")}


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    return build_backbone(SMALL, SIZE, Weights("random"))


def cut_at(backbone: keras.Model, spec: str) -> CutBackbone:
    return cut_backbone(backbone, SMALL, unfrozen_part(spec, SMALL))


@pytest.mark.parametrize(
    ("spec", "label"),
    [
        ("frozen", "frozen"),
        ("last_block", "last_block"),
        ("last_1_blocks", "last_block"),
        ("last_2_blocks", "last_2_blocks"),
        ("last_11_blocks", "all"),
        ("all", "all"),
        ("7", "7"),
    ],
)
def test_what_is_asked_for_has_one_name(spec: str, label: str) -> None:
    assert unfrozen_part(spec, SMALL).label == label


@pytest.mark.parametrize("spec", ["", "0", "-1", "last", "last_0_blocks", "block5", "1.5", "ALL"])
def test_what_names_no_part_is_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=r"is none of frozen, norms, last_block.*or a number"):
        unfrozen_part(spec, SMALL)


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("last_two_blocks", "last_2_blocks"),
        ("last 3 blocks", "last_3_blocks"),
        ("last-block", "last_block"),
        ("last_blocks", "last_block"),
        ("All", "all"),
        ("frozn", "frozen"),
    ],
)
def test_what_is_nearly_a_part_is_asked_about(spec: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"; did you mean '{meant}'\?$"):
        unfrozen_part(spec, SMALL)


def test_more_blocks_than_there_are_are_refused() -> None:
    with pytest.raises(UsageError, match=r"vgg16 has 5 blocks, not 9; 'all' trains them all"):
        unfrozen_part("last_9_blocks", architecture_named("vgg16"))


def test_a_network_from_scratch_trains_whole() -> None:
    scratch = architecture_named("simple_cnn")
    assert unfrozen_part("frozen", scratch).everything
    with pytest.raises(UsageError, match=r"simple_cnn is trained from scratch.*got 'last_block'"):
        unfrozen_part("last_block", scratch)


def test_more_layers_than_there_are_are_refused(backbone: keras.Model) -> None:
    with pytest.raises(UsageError, match=r"mobilenetv3_small has 157 layers, not 500"):
        cut_at(backbone, "500")


def test_layers_without_weights_are_refused(backbone: keras.Model) -> None:
    with pytest.raises(UsageError, match=r"the last 1 layers of mobilenetv3_small have no weights"):
        cut_at(backbone, "1")


@pytest.mark.parametrize(
    ("architecture", "spec"),
    [
        pytest.param(
            row,
            spec,
            id=f"{spec}-{key}",
            marks=() if key in QUICK or (key, spec) in SPECIAL else SLOW,
        )
        for key, row in PRETRAINED.items()
        for spec in ("last_block", "last_2_blocks", "15")
        if (key, spec) != ("mobilenetv5", "15")  # within it no single map carries everything
    ],
)
def test_the_two_parts_together_are_the_whole(architecture: Architecture, spec: str) -> None:
    whole = open_backbone(architecture, SIZE, Weights("random")).model
    cut = cut_backbone(whole, architecture, unfrozen_part(spec, architecture))
    assert cut.below is not None
    pictures = np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 3)).astype(np.float32)
    *lower, entry = keras.tree.flatten(cut.below(pictures, training=False))
    boundary = keras.Input(entry.shape[1:])
    above = keras.Model(boundary, cut.upper_maps(boundary, "float32"))
    upper = keras.tree.flatten(above(entry, training=False))
    assert len(lower) == cut.lower_blocks
    for expected, found in zip(whole(pictures, training=False), [*lower, *upper], strict=True):
        np.testing.assert_array_equal(found, expected)
    names = {layer.name for layer in above.layers for layer in getattr(layer, "layers", [])}
    for name in cut.trained & names:
        assert name not in {layer.name for layer in cut.below.layers}
    assert above.trainable_weights


def test_blocks_are_trained_from_the_top(backbone: keras.Model) -> None:
    """Whole blocks: the last one with the closing convolution, two with the one before."""
    one, two = cut_at(backbone, "last_block"), cut_at(backbone, "last_2_blocks")
    assert {"expanded_conv_10_expand", "conv_1"} <= one.trained
    assert not any(name.startswith("expanded_conv_9") for name in one.trained)
    assert two.trained > one.trained
    assert {"expanded_conv_9_expand", "expanded_conv_9_project"} <= two.trained


def test_layers_are_counted_from_the_top_as_keras_lists_them(backbone: keras.Model) -> None:
    (network,) = (layer for layer in backbone.layers if isinstance(layer, keras.Model))
    assert cut_at(backbone, "20").trained == {layer.name for layer in network.layers[-20:]}


def trained_layers(cut: CutBackbone, *, scratch: bool) -> list[keras.Layer]:
    entry = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(entry, cut.at_input().upper_maps(entry, "float32", scratch=scratch))
    (network,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    return [layer for layer in network.layers if layer.trainable_weights]


def test_layers_below_the_cut_and_batch_norm_are_never_trained(backbone: keras.Model) -> None:
    for spec in ("last_block", "15", "all"):
        cut = cut_at(backbone, spec)
        layers = trained_layers(cut, scratch=False)
        assert {layer.name for layer in layers} <= cut.trained
        assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)


def test_from_scratch_batch_norm_learns_and_soon_forgets_its_start(backbone: keras.Model) -> None:
    norms = [
        layer
        for layer in trained_layers(cut_at(backbone, "all"), scratch=True)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) == 34
    assert {layer.momentum for layer in norms} == {0.9}


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_copy_computes_in_its_precision_and_gives_float32(
    backbone: keras.Model, precision: str
) -> None:
    entry = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(entry, cut_at(backbone, "all").upper_maps(entry, precision))
    (network,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    convolution = next(la for la in network.layers if isinstance(la, keras.layers.Conv2D))
    assert convolution.compute_dtype == precision.removeprefix("mixed_")
    assert {output.dtype for output in model.outputs} == {"float32"}
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}


def test_dropout_of_frozen_blocks_keeps_still() -> None:
    """`trainable` does not still it: streamed through, frozen blocks must be as they are cached."""
    row = architecture_named("efficientnetv2b0")
    whole = build_backbone(row, SIZE, Weights("random"))
    cut = cut_backbone(whole, row, unfrozen_part("last_2_blocks", row)).at_input()
    entry = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(entry, cut.upper_maps(entry, "float32"))
    (network,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    drops = [layer for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(drops) > 10
    assert {layer.name for layer in drops if layer.rate} == {"block6g_drop", "block6h_drop"}
    assert all((layer.rate > 0) == (layer.name in cut.trained) for layer in drops)


def test_frozen_layers_compute_in_float32_whatever_the_precision(backbone: keras.Model) -> None:
    cut = cut_at(backbone, "last_block").at_input()
    entry = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(entry, cut.upper_maps(entry, "mixed_bfloat16"))
    (network,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    for layer in network.layers:
        expected = "bfloat16" if layer.name in cut.trained else "float32"
        assert layer.compute_dtype == expected, layer.name
