"""One finding of an audit: a sentence and how it weighs; what all kinds of finding share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

#: `good`: nothing to do. `note`: worth knowing. `care`: read a study's figures with it in mind.
#: `bad`: to be put right before a study.
Weight = Literal["good", "note", "care", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of the report.

    Attributes:
        weight: How much it matters.
        text: Whole sentences; may hold names from outside, made visible but not escaped.
        verdict: The headline where this is the gravest finding; empty where it makes none.
    """

    weight: Weight
    text: str
    verdict: str = ""


def listed(parts: Sequence[str]) -> str:
    """Join parts as `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def per_split(numbers: Mapping[str, int]) -> str:
    """Say `5 train and 1 valid`."""
    return listed([f"{number:,} {split}" for split, number in numbers.items()])
