"""What a user asks for, and what one trial tries: frozen records, the same keys everywhere."""

from dataclasses import asdict, dataclass
from typing import Any

#: Positive class, whatever the alphabetical order of the folders.
FAKE = 1
REAL = 0
CLASS_NAMES = ("real", "fake")

#: How an image meets the network's input: see `data.images.fit_image`.
FITS = ("crop", "resize")
#: What weighs the same in training, however many images it has: see `features.balance`.
BALANCES = ("none", "classes", "sources")


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
        limit: At most this many images per split and class.
        seed: Of the split, of random weights, of the search and of every fit.
        study: Name of the study; derived from what defines its results when empty.
        storage: Optuna storage URL.
        timeout_minutes: After this time no new trial starts.
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
    limit: int = 0
    seed: int = 0
    study: str = ""
    storage: str = ""
    timeout_minutes: float = 0.0

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
    """One point of the search space; the defaults are the baseline every study tries first.

    Attributes:
        features: Which maps the head reads: `last`, or `all_blocks`.
        pooling: Key of a row of `POOLINGS`.
        dropout: Rate before the output layer, 0 to 0.6.
        batch_norm: Whether the head (and a from-scratch network) normalises by batch.
        units: Width of the hidden layer; 0 for none.
        activation: Key of a row of `ACTIVATIONS`.
        loss: Key of a row of `LOSSES`.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW, decoupled from the loss.
        batch_size: Images per training step.
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
