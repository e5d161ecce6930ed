"""What a user asks for, and what one trial tries: frozen records, the same keys everywhere."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

#: Positive class, whatever the alphabetical order of the folders.
FAKE = 1
REAL = 0
CLASS_NAMES = ("real", "fake")

#: How an image meets the network's input: see `data.images.fit_image`.
FITS = ("crop", "resize")
#: What weighs the same in training, however many images it has: see `features.balance`.
BALANCES = ("none", "classes", "sources")
#: What is done to training pictures: see `data.augmentations`; `search` leaves it to the trials.
AUGMENTS = ("none", "light", "strong")
SEARCHED = "search"
#: In what numbers trained layers compute: see `training.precision`; `auto` measures.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
AUTO = "auto"
#: The layers of a backbone that are trained: see `architectures.fine_tuning`.
FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """One study as asked for on the command line; a 0 or an empty text means "choose for me".

    Attributes:
        model: Key or alias of a row of `ARCHITECTURES`.
        data: Key of a row of `DATASETS`, or a folder; several are joined by `+`.
        trials: Finished trials that the study shall hold in the end, at least 1.
        epochs: Most epochs of one fit, at least 1.
        image_size: Side of the network's square input in pixels.
        batch_size: Images per step, through the backbone and in training.
        weights: `auto`, `imagenet`, `random`, or a Keras weights file.
        fit: How images meet the network's input, one of `FITS`.
        balance: What weighs the same in training, one of `BALANCES`.
        fine_tune: Which layers under the head are trained: `frozen` for none, `last_block`,
            `last_2_blocks` and so on, `all`, or a number of last layers.
        augment: What is done to the pictures that train such layers: one of `AUGMENTS`, or
            `search`.
        precision: In what numbers such layers compute: one of `PRECISIONS`, or `auto`.
        cache_gb: Disk for what trained layers read again each epoch, in 10⁹ bytes; what is
            larger is computed anew each time. 0: a quarter of the free disk, at most 20.
        limit: At most this many images per split and class.
        seed: Of the split, of random weights, of the search and of every fit.
        seeds: Fits of the winner, each with a seed of its own from `seed` on; the first is kept.
        study: Name of the study; derived from what defines its results when empty.
        storage: Optuna storage URL.
        timeout_minutes: After this time no new trial starts.
        dollars_per_hour: What the machine costs.
    """

    model: str = "mobilenetv3"
    data: str = "synthetic"
    trials: int = 20
    epochs: int = 10
    image_size: int = 0
    batch_size: int = 0
    weights: str = "auto"
    fit: str = "crop"
    balance: str = "none"
    fine_tune: str = FROZEN
    augment: str = SEARCHED
    precision: str = AUTO
    cache_gb: float = 0.0
    limit: int = 0
    seed: int = 0
    seeds: int = 1
    study: str = ""
    storage: str = ""
    timeout_minutes: float = 0.0
    dollars_per_hour: float = 0.0

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """One audit as asked for on the command line.

    Attributes:
        data: As in `StudyConfig`.
        seed: Of the split, where the dataset has no official one.
        output: Folder to write the report to as well; none when empty.
    """

    data: str = "synthetic"
    seed: int = 0
    output: str = ""

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The head's options; the defaults are the baseline every study tries first.

    Attributes:
        features: Which maps the head reads: `last`, or `all_blocks`.
        pooling: Key of a row of `POOLINGS`.
        dropout: Rate before the output layer, 0 to 0.6.
        batch_norm: Whether the head (and a from-scratch network) normalises by batch.
        units: Width of the hidden layer; 0 for none.
        activation: Key of a row of `ACTIVATIONS`.
        loss: Key of a row of `LOSSES`.
        learning_rate: Of AdamW, on cached features; of the whole network's training where it
            starts from scratch.
        weight_decay: Of AdamW, decoupled from the loss; likewise.
        batch_size: Images per training step; likewise.
    """

    features: str = "all_blocks"
    pooling: str = "avg+std"
    dropout: float = 0.2
    batch_norm: bool = False
    units: int = 0
    activation: str = "relu"
    loss: str = "binary_crossentropy"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    batch_size: int = 64

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as in the search space."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TuningConfig:
    """How a pretrained backbone's unfrozen layers are trained, after the head alone.

    Attributes:
        learning_rate: Highest of AdamW, after the warm-up.
        weight_decay: Of AdamW, decoupled from the loss.
        batch_size: Images per training step.
    """

    learning_rate: float = 3e-4
    weight_decay: float = 1e-2
    batch_size: int = 32


@dataclass(frozen=True, slots=True)
class TrialConfig:
    """One point of the search space.

    Attributes:
        head: Options of the head.
        augment: One of `AUGMENTS`; empty where no layer under the head is trained.
        tuning: How unfrozen layers are trained; None where there are none, or nothing else.
    """

    head: HeadConfig = HeadConfig()
    augment: str = ""
    tuning: TuningConfig | None = None

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as in the search space."""
        params = self.head.as_params()
        if self.augment:
            params["augment"] = self.augment
        if self.tuning:
            params |= {f"{_TUNING}{key}": value for key, value in asdict(self.tuning).items()}
        return params

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "TrialConfig":
        """Rebuild the record from what `as_params` returned."""
        head = {field.name: params[field.name] for field in fields(HeadConfig)}
        tuning = {
            key.removeprefix(_TUNING): value
            for key, value in params.items()
            if key.startswith(_TUNING)
        }
        return cls(
            HeadConfig(**head),
            params.get("augment", ""),
            TuningConfig(**tuning) if tuning else None,
        )


#: Tells the params of `TuningConfig` from those of the head.
_TUNING = "fine_"
