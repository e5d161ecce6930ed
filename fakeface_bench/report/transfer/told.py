"""Figures with their intervals, counts and names as a reader takes them in."""

from math import isnan

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.records import TIER_PART, Estimate, SetScores, ShortcutFloor, part_members
from fakeface_bench.report.comparison.units import UNKNOWN, signed
from fakeface_bench.visible import elided

_LONGEST_NAME = 48


def named(name: str) -> str:
    """Return a dataset's or model's name on one line, both ends kept."""
    return elided(name, _LONGEST_NAME)


def told(estimate: Estimate | None, first: bool = False) -> str:
    """Write a figure: `0.842 (0.806 to 0.878)`; the `first` of a sentence says `95 %`."""
    if estimate is None or isnan(estimate.value):
        return UNKNOWN
    percent = "95 % " if first else ""
    return f"{estimate.value:.3f} ({percent}{estimate.low:.3f} to {estimate.high:.3f})"


def change_told(estimate: Estimate) -> str:
    """Write a difference: `0.120 (0.043 to 0.201)`, `−0.020 (−0.060 to 0.010)`."""
    value, low, high = (signed(v, 3) for v in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def floor_told(floor: ShortcutFloor | None) -> str:
    """Write what metadata alone score."""
    return UNKNOWN if floor is None else told(floor_estimate(floor))


def floor_estimate(floor: ShortcutFloor) -> Estimate:
    """Return a floor as a figure with its interval."""
    return Estimate(floor.roc_auc, floor.low_95, floor.high_95)


def class_counts(cell: SetScores) -> tuple[int, int]:
    """Return the numbers of real and of fake images."""
    fakes = int((cell.scored.y_true == FAKE).sum())
    return cell.images - fakes, fakes


def part_counts(cell: SetScores, part: str) -> tuple[int, int]:
    """Return the numbers of real and of fake images of a part; a tier's reals are the set's."""
    labels = cell.scored.y_true
    of = part_members(labels, cell.scored.sources, cell.scored.tiers)[part]
    reals = of | part.startswith(TIER_PART)
    return int((reals & (labels == REAL)).sum()), int((of & (labels == FAKE)).sum())


def images_told(cell: SetScores) -> str:
    """Write how many images of which class: `n = 1,081 real, 960 fake`."""
    reals, fakes = class_counts(cell)
    both = {REAL: f"{reals:,} real", FAKE: f"{fakes:,} fake"}
    return f"n = {', '.join(both[label] for label in sorted(cell.classes))}"
