"""A request with every choice made: which architecture, size, weights, and what defines it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fakeface_bench.architectures.architecture import Architecture
from fakeface_bench.architectures.catalogue import architecture_named
from fakeface_bench.architectures.fine_tuning import Unfrozen, unfrozen_part
from fakeface_bench.architectures.weights import Weights, resolve_weights
from fakeface_bench.config import (
    SPACE_VERSION,
    STUDY_VERSION,
    TOLD_OPTIONS,
    TUNING_VERSION,
    UNTOUCHED,
    StudyConfig,
    option_told,
)
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.index import ImageIndex, index_name
from fakeface_bench.data.publish import content_key
from fakeface_bench.data.sources import source_names


@dataclass(frozen=True, slots=True)
class Plan:
    """A `StudyConfig` resolved on this machine.

    `jpeg_quality` is of the JPEG that every picture passes first, 0 for none; where the dataset
    decides it, it is known as soon as that is prepared.
    """

    config: StudyConfig
    architecture: Architecture
    image_size: int
    weights: Weights
    unfrozen: Unfrozen
    jpeg_quality: int = 0

    @property
    def equalises(self) -> bool:
        """Whether every picture passes a JPEG first."""
        return self.config.equalise != UNTOUCHED

    @property
    def title(self) -> str:
        """Name of the parent run: model, dataset, and what is not as usual."""
        trained = self.architecture.pretrained and self.unfrozen.anything
        how = f" ({self.unfrozen.label})" if trained else ""
        passed = f", {self.config.equalise}" if self.equalises else ""
        apart = "".join(f", {told}" for told in self._unusual())
        return f"{self.architecture.key}{how} on {self.data_name}{passed}{apart}"

    def _unusual(self) -> Iterator[str]:
        """Tell the options that are not the usual ones; of `auto`, what weights it came to."""
        usual = StudyConfig()
        for key in TOLD_OPTIONS:
            value = getattr(self.config, key)
            if key == "weights":
                if self.architecture.pretrained and self.weights.label != "imagenet":
                    yield option_told(key, self.weights.short_name)
            elif value != getattr(usual, key):
                yield option_told(key, value)
        if self.config.study:
            yield f"study {self.config.study}"

    @property
    def data_name(self) -> str:
        """Name of the dataset, as its index has it."""
        return index_name("+".join(source_names(self.config.data)), self.config.left_out)

    def definition(self, index: ImageIndex) -> dict[str, Any]:
        """Return all that the study's results depend on, besides its number of trials."""
        return {
            "model": self.architecture.key,
            "weights": self.weights.identity,
            "dataset_digest": index.digest,
            **{f"{split}_digest": index.split_digest(split) for split in SPLITS},
            "image_size": self.image_size,
            "fit": self.config.fit,
            "balance": self.config.balance,
            **({"jpeg_quality": self.jpeg_quality} if self.jpeg_quality else {}),
            **({"sources": index.source_digests} if self.config.balance == "sources" else {}),
            **(self._tuning() if self.unfrozen.anything else {}),
            "batch_size": self.config.batch_size,
            "epochs": self.config.epochs,
            "seed": self.config.seed,
            "space": SPACE_VERSION,
            "version": STUDY_VERSION,
        }

    def _tuning(self) -> dict[str, Any]:
        return {
            "fine_tune": self.unfrozen.label,
            "augment": self.config.augment,
            "precision": self.config.precision,
            "tuning": TUNING_VERSION,
        }

    def study_name(self, index: ImageIndex) -> str:
        """Return the name asked for, else one derived from the definition."""
        derived = f"{self.architecture.key}-{content_key(self.definition(index))[:8]}"
        return self.config.study or derived


def make_plan(config: StudyConfig) -> Plan:
    """Resolve a request's names, weights and sizes.

    Raises:
        UsageError: If a name is unknown.
    """
    architecture = architecture_named(config.model)
    return Plan(
        config=config,
        architecture=architecture,
        image_size=config.image_size or architecture.image_size,
        weights=resolve_weights(config.weights, architecture, config.seed),
        unfrozen=unfrozen_part(config.fine_tune, architecture),
    )
