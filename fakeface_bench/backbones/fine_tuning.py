"""Which layers of a backbone are trained: what a user may ask for, and what it means for a row.

Importing it needs no TensorFlow.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from fakeface_bench.backbones.catalogue import Architecture
from fakeface_bench.config import FROZEN
from fakeface_bench.support.errors import UsageError

ALL = "all"
#: Scale and shift of every normalisation layer, and nothing else under the head.
NORMS = "norms"
_LAST_BLOCKS = re.compile(r"last_([1-9][0-9]{0,2})_blocks?")
_NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_LAYERS = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Unfrozen:
    """The trained end of a backbone.

    Attributes:
        label: `frozen`, `norms`, `last_block`, `last_2_blocks` and so on, `all`, or a number of
            layers.
        below: Layer of the last frozen block, whose output the trained ones start from; empty
            where nothing is frozen, or layers are counted.
        layers: Number of last layers that are trained; 0 where blocks are.
    """

    label: str
    below: str = ""
    layers: int = 0

    @property
    def anything(self) -> bool:
        """Whether any layer under the head is trained."""
        return self.label != FROZEN

    @property
    def everything(self) -> bool:
        """Whether every layer is."""
        return self.label == ALL

    @property
    def on_pixels(self) -> bool:
        """Whether no layer is left frozen whose output could be kept."""
        return self.label in (ALL, NORMS)


def unfrozen_part(spec: str, architecture: Architecture) -> Unfrozen:
    """Return what `fine_tune` means for an architecture.

    A network without pretrained weights is trained whole, whatever the default says.

    Raises:
        UsageError: If `spec` is nothing that the architecture has.
    """
    if not architecture.pretrained and not architecture.scratch:
        if spec != FROZEN:
            raise UsageError(
                f"{architecture.key} has no layers to train; leave fine_tune out (got {spec!r})."
            )
        return Unfrozen(FROZEN)
    if architecture.scratch:
        if spec not in (FROZEN, ALL):
            raise UsageError(
                f"{architecture.key} is trained from scratch, all of it; leave fine_tune out "
                f"(got {spec!r})."
            )
        return Unfrozen(ALL)
    if architecture.file and architecture.file.is_onnx and spec != FROZEN:
        raise UsageError(
            f"{architecture.key} is run by ONNX Runtime, which trains nothing: leave fine_tune out "
            f"(got {spec!r})."
        )
    if spec in (FROZEN, ALL, NORMS):
        return Unfrozen(spec)
    if _LAYERS.fullmatch(spec):
        return Unfrozen(spec, layers=int(spec))
    named = _LAST_BLOCKS.fullmatch("last_1_block" if spec == "last_block" else spec)
    if not named:
        raise UsageError(
            f"fine_tune {spec!r} is none of {FROZEN}, {NORMS}, last_block, last_2_blocks and so "
            f"on, {ALL}, or a number of last layers"
            f"{_nearest(spec, len(architecture.frozen_ends))}"
        )
    return _last_blocks(int(named[1]), architecture)


def _nearest(spec: str, most: int) -> str:
    """Return a question about what was meant, if anything is near."""
    words = re.split(r"[\s_-]+", spec.strip().lower())
    digits = [str(_NUMBERS.index(word)) if word in _NUMBERS else word for word in words]
    blocks = ["last_block", *(f"last_{count}_blocks" for count in range(2, most + 1))]
    known = [FROZEN, NORMS, ALL, *blocks]
    near = get_close_matches("_".join(digits), known, n=1, cutoff=0.8)
    return f"; did you mean {near[0]!r}?" if near else "."


def _last_blocks(count: int, architecture: Architecture) -> Unfrozen:
    ends = architecture.frozen_ends
    if count > len(ends) + 1:
        raise UsageError(
            f"fine_tune: {architecture.key} has {len(ends) + 1} blocks, not {count}; "
            f"'{ALL}' trains them all."
        )
    if count == len(ends) + 1:
        return Unfrozen(ALL)
    label = "last_block" if count == 1 else f"last_{count}_blocks"
    return Unfrozen(label, below=ends[-count])
