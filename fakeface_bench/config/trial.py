"""What one trial tries."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


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
