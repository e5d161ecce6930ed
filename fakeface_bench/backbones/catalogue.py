"""Every architecture the suite can study, as a literal table; importing it needs no TensorFlow.

Pixels arrive as 0 to 255 everywhere; the right range is a fact of the architecture's row, so that
no caller can rescale twice or not at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakeface_bench.support.errors import unknown_name

#: Mean BGR of ImageNet, subtracted by the original VGG (arXiv:1409.1556, section 2.1).
CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)
#: Mean and standard deviation of ImageNet's RGB within 0 to 1, as torchvision's models use them.
TORCH_MEANS = (0.485, 0.456, 0.406)
TORCH_DEVIATIONS = (0.229, 0.224, 0.225)
#: The same of the pictures that CLIP was trained on (arXiv:2103.00020).
CLIP_MEANS = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATIONS = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """One row of `PREPROCESSINGS`.

    Attributes:
        apply: From a Keras tensor of pixels 0 to 255 to what the backbone is called on.
        black: What pixel 0 becomes, by channel as the network takes them.
        white: What pixel 255 becomes, likewise.
    """

    apply: Callable[[Any], Any]
    black: tuple[float, ...]
    white: tuple[float, ...]


def _inside(pixels: Any) -> Any:
    return pixels


def _unit(pixels: Any) -> Any:
    import keras

    return keras.layers.Rescaling(1 / 255)(pixels)


def _symmetric(pixels: Any) -> Any:
    import keras

    return keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)


def _normalised(pixels: Any, means: Sequence[float], deviations: Sequence[float]) -> Any:
    import keras

    mean = [255 * m for m in means]
    variance = [(255 * d) ** 2 for d in deviations]
    return keras.layers.Normalization(mean=mean, variance=variance)(pixels)


def _torch(pixels: Any) -> Any:
    return _normalised(pixels, TORCH_MEANS, TORCH_DEVIATIONS)


def _clip(pixels: Any) -> Any:
    return _normalised(pixels, CLIP_MEANS, CLIP_DEVIATIONS)


def _caffe(pixels: Any) -> Any:
    import keras

    return keras.layers.Rescaling(1.0, offset=[-m for m in CAFFE_MEANS_BGR])(pixels[..., ::-1])


def scaled(scale: tuple[float, ...], offset: tuple[float, ...]) -> Preprocessing:
    """Return what multiplies each channel by a scale and adds an offset."""

    def apply(pixels: Any) -> Any:
        import keras

        return keras.layers.Rescaling(list(scale), list(offset))(pixels)

    white = tuple(255 * factor + added for factor, added in zip(scale, offset, strict=True))
    return Preprocessing(apply, offset, white)


def _normalised_pixel(
    value: float, means: Sequence[float], deviations: Sequence[float]
) -> tuple[float, ...]:
    return tuple((value - m) / d for m, d in zip(means, deviations, strict=True))


PREPROCESSINGS: Mapping[str, Preprocessing] = {
    "inside": Preprocessing(_inside, (0.0,) * 3, (255.0,) * 3),
    "unit": Preprocessing(_unit, (0.0,) * 3, (1.0,) * 3),
    "symmetric": Preprocessing(_symmetric, (-1.0,) * 3, (1.0,) * 3),
    "torch": Preprocessing(
        _torch,
        _normalised_pixel(0.0, TORCH_MEANS, TORCH_DEVIATIONS),
        _normalised_pixel(1.0, TORCH_MEANS, TORCH_DEVIATIONS),
    ),
    "clip": Preprocessing(
        _clip,
        _normalised_pixel(0.0, CLIP_MEANS, CLIP_DEVIATIONS),
        _normalised_pixel(1.0, CLIP_MEANS, CLIP_DEVIATIONS),
    ),
    "caffe": Preprocessing(
        _caffe,
        _normalised_pixel(0.0, CAFFE_MEANS_BGR, (1.0,) * 3),
        _normalised_pixel(255.0, CAFFE_MEANS_BGR, (1.0,) * 3),
    ),
}


#: Residuals are cut off at this many grey levels, beyond which they are edges, and brought near 1.
RESIDUAL_MOST, RESIDUAL_SCALE = 8.0, 0.25
#: Three 3×3 kernels that even surfaces leave at 0: first differences across and down, and the
#: square kernel. Source: Fridrich & Kodovský (2012), "Rich models for steganalysis of digital
#: images", figure 1; fewer than there, for each costs a pass over the picture.
HIGH_PASS_KERNELS = (
    ((0.0, 0.0, 0.0), (0.0, -1.0, 1.0), (0.0, 0.0, 0.0)),
    ((0.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 1.0, 0.0)),
    ((-0.25, 0.5, -0.25), (0.5, -1.0, 0.5), (-0.25, 0.5, -0.25)),
)
#: What brings differences to the first pixel of a block near 1.
NPR_SCALE = 1 / 8


def _residual(pixels: Any) -> Any:
    """Apply each kernel to each channel; a fixed layer of nothing to train, (n, h-2, w-2, 9)."""
    import keras
    import numpy as np

    kernels = RESIDUAL_SCALE * np.array(HIGH_PASS_KERNELS, np.float32)
    weights = np.zeros((3, 3, 3, 3, len(kernels)), np.float32)
    for channel in range(3):
        weights[:, :, channel, channel] = np.moveaxis(kernels, 0, -1)
    fixed = keras.layers.Conv2D(
        3 * len(kernels), 3, use_bias=False, trainable=False, dtype="float32", name="high_pass"
    )
    residuals = fixed(pixels)
    fixed.set_weights([weights.reshape(3, 3, 3, -1)])
    most = RESIDUAL_SCALE * RESIDUAL_MOST
    return keras.ops.clip(residuals, -most, most)


def _neighbouring_pixels(pixels: Any) -> Any:
    """Return what is left of pixels less the first of their 2×2 block, an even side of them.

    Neighbouring pixel relations; source: Tan et al. (2024), "Rethinking the up-sampling operations
    in CNN-based generative network for generalizable deepfake detection", arXiv:2312.10461.
    """
    import keras

    height, width = (side - side % 2 for side in pixels.shape[1:3])
    even = pixels[:, :height, :width]
    first = keras.layers.UpSampling2D(2, interpolation="nearest")(even[:, ::2, ::2])
    return (even - first) * NPR_SCALE


#: What a network that starts from scratch reads of pixels 0 to 255 in place of its row's
#: preprocessing; None for that.
INPUTS: Mapping[str, Callable[[Any], Any] | None] = {
    "rgb": None,
    "residual": _residual,
    "npr": _neighbouring_pixels,
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A foundation model as keras-hub publishes it.

    Attributes:
        name: In keras-hub.
        family: Key of `backbones.presets.FAMILIES`.
        version: Of its weights at Kaggle.
        config: What its class in keras-hub is built with, apart from the side of its input.
    """

    name: str
    family: str
    version: int
    config: Mapping[str, Any]

    @property
    def handle(self) -> str:
        """Where its weights lie, at Kaggle."""
        return f"keras/{self.family}/keras/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A user's own network, as `backbones.network_file` reads its file.

    Attributes:
        digest: 12 digits of the SHA-256 of its operations and values, whatever the file's date.
        pixels: What 0 and 255 become before it, by channel as it takes them; None where that is
            found by `statistics`.
        bgr: Whether it takes blue first.
        last: Name of the operation that gives its last map.
        statistics: Names of its first convolution and the BatchNormalization after it; None for
            none.
        scaling: Name of what brings pixels to its range, inside; empty for nothing.
        any_side: Whether its file states no side.
        channels_first: Whether it takes (images, channels, height, width).
        maps_channels_first: Likewise of what each block, and the last map, gives.
        stated: What the description beside it states.
    """

    path: Path
    digest: str
    pixels: tuple[tuple[float, ...], tuple[float, ...]] | None
    bgr: bool
    last: str
    statistics: tuple[str, str] | None
    scaling: str
    any_side: bool
    channels_first: bool
    maps_channels_first: tuple[bool, ...]
    stated: tuple[str, ...]

    @property
    def is_onnx(self) -> bool:
        """Whether ONNX Runtime runs it, which trains nothing."""
        return self.path.suffix.lower() == ".onnx"


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of the catalogue, or a user's own network.

    Attributes:
        application: Class in `keras.applications`; empty for any other network.
        preset: Foundation model of keras-hub; None for any other.
        file: What a user's own network is read from; None for a row.
        preprocessing: Key of `PREPROCESSINGS`, applied inside the model to pixels 0 to 255.
        image_size: Side of the input it was made for, in pixels.
        parameters: Number of weights without a head.
        mmacs: Million multiply-accumulates per image at `image_size`, without a head.
        blocks: Layers whose outputs are its blocks, from the input up; the last map comes
            after them and is not named.
        ends: Layers at which a frozen part may end, where there are more of them than blocks.
        closing_block: Whether what follows the last named block is one more, to be trained as
            such; otherwise, a single convolution, it goes with that block.
        filters: Of each convolution block of a from-scratch network. A row without them and
            without an application has no network: residual statistics are all that is read.
        max_pooling: Whether such blocks shrink by MaxPooling2D; by a stride of 2 otherwise.
        imagenet_file: Name of Keras's own weights file in its cache.
        cpu_batch: Images a step at which the frozen graph runs fastest on a CPU.
        onnx: Whether ONNX Runtime runs it, and notably faster.
        licence: Under which its weights are published; empty where there are none.
    """

    key: str
    application: str
    preprocessing: str
    image_size: int
    parameters: int
    mmacs: int
    blocks: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    closing_block: bool = True
    filters: tuple[int, ...] = ()
    max_pooling: bool = False
    imagenet_file: str = ""
    cpu_batch: int = 16
    onnx: bool = True
    licence: str = ""
    aliases: tuple[str, ...] = ()
    preset: Preset | None = None
    file: NetworkFile | None = None

    @property
    def pretrained(self) -> bool:
        """Whether it is a frozen backbone that trained weights exist for."""
        return bool(self.application or self.preset or self.file)

    @property
    def scratch(self) -> bool:
        """Whether it is a network that starts from random values, and is trained whole."""
        return bool(self.filters)

    @property
    def frozen_ends(self) -> tuple[str, ...]:
        """Layers at whose output a frozen part may end, from the input up."""
        return self.ends or (self.blocks if self.closing_block else self.blocks[:-1])


def _inverted_residuals(count: int, plain: tuple[int, ...]) -> tuple[str, ...]:
    """Name MobileNetV3's blocks: the addition, or the projection where there is no shortcut."""
    stems = ["expanded_conv" if i == 0 else f"expanded_conv_{i}" for i in range(count)]
    return tuple(f"{stem}_{'project_bn' if i in plain else 'add'}" for i, stem in enumerate(stems))


_MOBILENET_V2_PLAIN = (1, 3, 6, 10, 13, 16)
_EFFICIENTNET_REPEATS = {1: 1, 2: 2, 3: 2, 4: 3, 5: 5, 6: 8}
_XCEPTION_BLOCKS = (
    "block1_conv2_act",
    "block2_pool",
    "block3_pool",
    "block4_pool",
    *(f"block{i}_sepconv3_bn" for i in range(5, 13)),
    "block13_pool",
)


def _transformer(
    key: str, preset: Preset, preprocessing: str, *, parameters: int, mmacs: int, licence: str
) -> Architecture:
    """Return the row of a vision transformer: features of each quarter of its depth."""
    depth = int(preset.config["num_layers"])
    return Architecture(
        key=key,
        application="",
        preset=preset,
        preprocessing=preprocessing,
        image_size=224,
        parameters=parameters,
        mmacs=mmacs,
        blocks=tuple(f"block_{depth * quarter // 4 - 1}" for quarter in (1, 2, 3)),
        ends=tuple(f"block_{number}" for number in range(depth - 1)),
        cpu_batch=8,
        onnx=False,
        licence=licence,
    )


def _sizes(
    width: int, heads: int, depth: int = 12, inner: str = "intermediate_dim"
) -> dict[str, Any]:
    """Return the settings of a transformer of some width."""
    return {"hidden_dim": width, "num_layers": depth, "num_heads": heads, inner: 4 * width}


#: Blocks of MobileNetV5's four stages: kind, output channels, stride, expansion, and kernels of the
#: depthwise convolution before and within it; of attention heads, width of a key, stride of keys.
_MOBILENETV5_STAGES: tuple[tuple[tuple[Any, ...], ...], ...] = (
    (("er", 128, 2, 4), ("er", 128, 1, 4), ("er", 128, 1, 4)),
    (
        ("uir", 256, 2, 6, 3, 5),
        *(("uir", 256, 1, 4, start, 0) for start in (5, 3, 5, 3)),
    ),
    (
        ("uir", 640, 2, 6, 5, 5),
        *(("uir", 640, 1, 4, 5, 0),) * 7,
        ("uir", 640, 1, 1, 0, 0),
        *(("mqa", 640, 12, 64, 2), ("uir", 640, 1, 2, 0, 0)) * 14,
    ),
    (
        ("uir", 1280, 2, 6, 5, 5),
        *(("mqa", 1280, 16, 96, 1), ("uir", 1280, 1, 2, 0, 0)) * 19,
    ),
)


def _mobilenetv5_config() -> dict[str, Any]:
    """Return what keras-hub builds the image encoder of Gemma 3n with (timm's mobilenetv5_300m)."""
    names = {
        "block_types": "", "num_filters": 0, "strides": 1, "act_layers": "gelu", "exp_ratios": 0.0,
        "se_ratios": 0.0, "dw_kernel_sizes": 0, "dw_start_kernel_sizes": 0,
        "dw_end_kernel_sizes": 0, "exp_kernel_sizes": 0, "pw_kernel_sizes": 0, "num_heads": 0,
        "key_dims": 0, "value_dims": 0, "kv_strides": 0, "use_cpe": False,
    }  # fmt: skip
    blocks = []
    for stage in _MOBILENETV5_STAGES:
        made = []
        for kind, channels, *rest in stage:
            block = {**names, "block_types": kind, "num_filters": channels}
            if kind == "er":
                stride, expansion = rest
                block |= {"strides": stride, "exp_ratios": float(expansion)}
                block |= {"exp_kernel_sizes": 3, "pw_kernel_sizes": 1}
            elif kind == "uir":
                stride, expansion, start, middle = rest
                block |= {"strides": stride, "exp_ratios": float(expansion)}
                block |= {"dw_start_kernel_sizes": start, "dw_kernel_sizes": middle}
            else:
                heads, width, stride = rest
                block |= {"num_heads": heads, "key_dims": width, "value_dims": width}
                block["kv_strides"] = stride
            made.append(block)
        blocks.append(made)
    return {
        **{f"stackwise_{name}": [[b[name] for b in stage] for stage in blocks] for name in names},
        "stackwise_num_blocks": [len(stage) for stage in blocks],
        "stem_size": 64,
        "num_features": 2048,
        "norm_layer": "rms_norm",
        "layer_scale_init_value": 1e-5,
    }


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        key="residual",
        application="",
        preprocessing="inside",
        image_size=224,
        parameters=0,
        mmacs=32,  # of its transforms: 2 · 224³ and 3 · 28² · 64²
        cpu_batch=32,
        onnx=False,
    ),
    Architecture(
        key="simple_cnn",
        application="",
        preprocessing="unit",
        image_size=176,
        parameters=23_584,
        mmacs=21,
        filters=(16, 32, 64),
    ),
    Architecture(
        key="simple_cnn_pool",
        application="",
        preprocessing="unit",
        image_size=176,
        parameters=97_440,
        mmacs=120,
        filters=(16, 32, 64, 128),
        max_pooling=True,
    ),
    Architecture(
        key="mobilenetv3_small",
        application="MobileNetV3Small",
        preprocessing="inside",
        image_size=224,
        parameters=939_120,
        mmacs=55,
        blocks=_inverted_residuals(11, plain=(0, 1, 3, 6, 8)),
        closing_block=False,
        licence="Apache-2.0",
        imagenet_file="weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        cpu_batch=32,
    ),
    Architecture(
        key="mobilenetv3_large",
        application="MobileNetV3Large",
        preprocessing="inside",
        image_size=224,
        parameters=2_996_352,
        mmacs=214,
        blocks=_inverted_residuals(15, plain=(1, 3, 6, 10, 12)),
        closing_block=False,
        licence="Apache-2.0",
        imagenet_file="weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        cpu_batch=8,
        aliases=("mobilenetv3",),
    ),
    Architecture(
        key="mobilenetv2",
        application="MobileNetV2",
        preprocessing="symmetric",
        image_size=224,
        parameters=2_257_984,
        mmacs=299,
        blocks=(
            "expanded_conv_project_BN",
            *(
                f"block_{i}_{'project_BN' if i in _MOBILENET_V2_PLAIN else 'add'}"
                for i in range(1, 17)
            ),
        ),
        closing_block=False,
        licence="Apache-2.0",
        imagenet_file="mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    ),
    Architecture(
        key="efficientnetv2b0",
        application="EfficientNetV2B0",
        preprocessing="inside",
        image_size=224,
        parameters=5_919_312,
        mmacs=717,
        blocks=tuple(
            f"block{stage}{'abcdefgh'[i]}_{'add' if i else 'project_bn'}"
            for stage, repeats in _EFFICIENTNET_REPEATS.items()
            for i in range(repeats)
            if not (stage == 1 and i == 0)
        ),
        closing_block=False,
        licence="Apache-2.0",
        imagenet_file="efficientnetv2-b0_notop.h5",
    ),
    Architecture(
        key="resnet50v2",
        application="ResNet50V2",
        preprocessing="symmetric",
        image_size=224,
        parameters=23_564_800,
        mmacs=3480,
        blocks=("conv2_block3_out", "conv3_block4_out", "conv4_block6_out"),
        licence="MIT",
        imagenet_file="resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
    Architecture(
        key="densenet121",
        application="DenseNet121",
        preprocessing="torch",
        image_size=224,
        parameters=7_037_504,
        mmacs=2833,
        blocks=("pool1", "pool2_conv", "pool3_conv", "pool4_conv"),
        licence="BSD-3-Clause",
        imagenet_file="densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
    Architecture(
        key="xception",
        application="Xception",
        preprocessing="symmetric",
        image_size=299,
        parameters=20_861_480,
        mmacs=8355,
        blocks=_XCEPTION_BLOCKS,
        licence="MIT",
        imagenet_file="xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
    Architecture(
        key="convnext_tiny",
        application="ConvNeXtTiny",
        preprocessing="inside",
        image_size=224,
        parameters=27_820_128,
        mmacs=4455,
        blocks=(
            "convnext_tiny_stage_0_block_2_identity",
            "convnext_tiny_stage_1_block_2_identity",
            "convnext_tiny_stage_2_block_8_identity",
        ),
        licence="MIT",
        imagenet_file="convnext_tiny_notop.h5",
        onnx=False,  # its depthwise convolutions are calls of functions compiled by XLA
    ),
    Architecture(
        key="vgg16",
        application="VGG16",
        preprocessing="caffe",
        image_size=224,
        parameters=14_714_688,
        mmacs=15_347,
        blocks=tuple(f"block{i}_pool" for i in range(1, 5)),
        licence="CC BY 4.0",
        imagenet_file="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
    Architecture(
        key="vgg19",
        application="VGG19",
        preprocessing="caffe",
        image_size=224,
        parameters=20_024_384,
        mmacs=19_508,
        blocks=tuple(f"block{i}_pool" for i in range(1, 5)),
        licence="CC BY 4.0",
        imagenet_file="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
    _transformer(
        "dinov2_small",
        Preset(
            "dinov2_small",
            "dinov2",
            1,
            {"patch_size": 14, **_sizes(384, 6)},
        ),
        "torch",
        parameters=22_155_264,
        mmacs=6_124,
        licence="Apache-2.0",
    ),
    _transformer(
        "dinov2_base",
        Preset(
            "dinov2_base",
            "dinov2",
            1,
            {"patch_size": 14, **_sizes(768, 12)},
        ),
        "torch",
        parameters=86_777_856,
        mmacs=23_161,
        licence="Apache-2.0",
    ),
    _transformer(
        "dinov3_small",
        Preset(
            "dinov3_vit_small_lvd1689m",
            "dinov3",
            1,
            {"patch_size": 16, **_sizes(384, 6), "use_key_bias": False},
        ),
        "torch",
        parameters=21_596_544,
        mmacs=4_698,
        licence="DINOv3 License",
    ),
    _transformer(
        "dinov3_base",
        Preset(
            "dinov3_vit_base_lvd1689m",
            "dinov3",
            1,
            {"patch_size": 16, **_sizes(768, 12), "use_key_bias": False},
        ),
        "torch",
        parameters=85_660_416,
        mmacs=17_932,
        licence="DINOv3 License",
    ),
    _transformer(
        "clip_vit_b16",
        Preset(
            "clip_vit_base_patch16",
            "clip",
            3,
            {"patch_size": 16, **_sizes(768, 12)},
        ),
        "clip",
        parameters=85_799_621,
        mmacs=17_563,
        licence="MIT",
    ),
    _transformer(
        "clip_vit_l14",
        Preset(
            "clip_vit_large_patch14",
            "clip",
            3,
            {"patch_size": 14, **_sizes(1024, 16, depth=24)},
        ),
        "clip",
        parameters=303_180_033,
        mmacs=81_012,
        licence="MIT",
    ),
    _transformer(
        "siglip2_base",
        Preset(
            "siglip2_base_patch16_224",
            "siglip",
            1,
            {"patch_size": 16, **_sizes(768, 12)},
        ),
        "symmetric",
        parameters=92_884_420,
        mmacs=17_708,
        licence="Apache-2.0",
    ),
    _transformer(
        "vit_base",
        Preset(
            "vit_base_patch16_224_imagenet",
            "vit",
            4,
            {"patch_size": 16, **_sizes(768, 12, inner="mlp_dim")},
        ),
        "symmetric",
        parameters=85_798_656,
        mmacs=17_563,
        licence="Apache-2.0",
    ),
    Architecture(
        key="mobilenetv5",
        application="",
        preset=Preset(
            "mobilenetv5_300m_enc_gemma3n",
            "mobilenetv5",
            1,
            _mobilenetv5_config(),
        ),
        preprocessing="unit",
        image_size=256,
        parameters=294_284_096,
        mmacs=43_587,
        blocks=("block_2", "block_7", "block_44"),
        licence="Gemma Terms of Use",
        cpu_batch=2,
        onnx=False,
    ),
)


def architecture_named(name: str) -> Architecture:
    """Return the row with this key or alias.

    Raises:
        UsageError: If there is none.
    """
    names: Mapping[str, Architecture] = {
        known: row for row in ARCHITECTURES for known in (row.key, *row.aliases)
    }
    if name not in names:
        raise unknown_name("architecture", name, names)
    return names[name]
