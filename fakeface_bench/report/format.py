"""How every page words names, numbers, costs and shares: one line, nothing invisible."""

import re
from collections.abc import Mapping, Sequence
from math import isnan

from fakeface_bench.config import FAKE, NO_WEIGHTS, REAL, USUAL_THRESHOLD
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import (
    SearchRecord,
    ShortcutFloor,
    UnsureBand,
    is_of_fakes,
    part_members,
)
from fakeface_bench.records.transfer import ModelRobustness, Robustness, SetScores
from fakeface_bench.support import errors
from fakeface_bench.support.text import elided, visible


def prose(text: str, most: int) -> str:
    """Return visible sentences of at most so many characters, as `errors.shortened` does.

    Args:
        text: Why something was left out, or a warning.
        most: At least 20.
    """
    return errors.shortened(visible(" ".join(text.split())), most)


def percent(share: float) -> str:
    """Show a share in per cent, never rounding a few to none nor most to all."""
    if 0 < share < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def found(number: int, at_least: bool) -> str:
    """Return a number of which there may be more than could be listed: `at least 2,000`."""
    return f"{'at least ' if at_least else ''}{number:,}"


def counted(number: int, noun: str, at_least: bool = False) -> str:
    """Return `1 image`, `2,000 images`, `0 images`, `at least 40 images`."""
    return f"{found(number, at_least)} {noun}{'' if number == 1 else 's'}"


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//"}
#: An underscore within a word is no markup, and reads better bare in the raw file.
_MARKUP = re.compile(r"://|[&<>]|[\\`*\[\]|~#!$]|(?<![^\W_])_|_(?![^\W_])")


def escaped(text: str) -> str:
    """Return text on one line that shows as written: no markup, HTML, link or table cell."""
    on_one_line = " ".join(text.split())
    return _MARKUP.sub(lambda match: _ENTITIES.get(match[0], "\\" + match[0]), on_one_line)


#: Longest time told in a unit, its seconds, its name and its short name; times round to 3 digits.
_UNITS = (
    (59.95, (1.0, "seconds", "s")),
    (59.95 * 60, (60.0, "minutes", "min")),
    (47.95 * 3600, (3600.0, "hours", "h")),
    (float("inf"), (86400.0, "days", "d")),
)
#: Stands where a figure is not known.
UNKNOWN = "–"
#: Stands for a time to what was never reached.
NEVER = "∞"


def duration(seconds: float, short: bool = False) -> str:
    """Write a time in the unit that suits it: `42.3 seconds`, `3.21 h`."""
    sign = "−" if seconds < 0 else ""
    size, name, short_name = next(unit for most, unit in _UNITS if abs(seconds) < most)
    amount = abs(seconds) / size
    number = f"{amount:.3g}" if amount < 999.5 else f"{amount:,.0f}"
    if short:
        return f"{sign}{number} {short_name}"
    return f"{sign}{number} {name.removesuffix('s') if number == '1' else name}"


def spread_in_time(low: float, middle: float, high: float) -> str:
    """Write a time with the ends of its spread in one unit: `42.3 s (40.1 to 45)`.

    The value alone where there is no spread.
    """
    size, _, short_name = next(unit for most, unit in _UNITS if abs(middle) < most)
    value, *ends = (f"{seconds / size:.3g}" for seconds in (middle, low, high))
    if ends == [value, value]:
        return duration(middle, short=True)
    return f"{value} {short_name} ({ends[0]} to {ends[1]})"


def dollars(amount: float) -> str:
    """Write a price; what is less than a cent is told as such."""
    return f"${amount:,.2f}" if amount >= 0.005 or amount == 0 else "under $0.01"


def cost(ledger: Ledger, seconds: float, short: bool = False) -> str:
    """Write a time, and its price where the machine has one: `3.21 hours ($4.50)`."""
    time = duration(seconds, short)
    return f"{time} ({dollars(ledger.price(seconds))})" if ledger.dollars_per_hour else time


def percent_right(share: float) -> str:
    """Write an accuracy, rounded as where it stands as 0.895: `89.5 %`."""
    return f"{100 * float(f'{share:.3f}'):.1f} %"


def signed(value: float, digits: int) -> str:
    """Write a number with a minus sign where it rounds to less than 0, never as -0."""
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text


def points(share: float) -> str:
    """Write a difference of shares in points: `0.8`, `−1.2`."""
    return signed(100 * share, 1)


def in_points(share: float) -> str:
    """Write a share of images in points, with the word: `1 point`, `2.5 points`."""
    number = f"{100 * share:.3g}"
    return f"{number} point{'' if number == '1' else 's'}"


def points_range(estimate: Estimate) -> str:
    """Write an interval in points: `−1.2 to 2.9`."""
    return f"{points(estimate.low)} to {points(estimate.high)}"


def p_value(p: float) -> str:
    """Write a p value so that none is told to be 0: `0.041`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def sentence_end(text: str) -> str:
    """End a text with one full stop."""
    return f"{text.rstrip('. ')}."


def listed(names: Sequence[str], most: int = 4) -> str:
    """Join names in a sentence; of more than `most` the rest is counted."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


_LONGEST_NAME = 48


def named(name: str) -> str:
    """Return a dataset's or model's name on one line, both ends kept."""
    return elided(name, _LONGEST_NAME)


def format_weights(label: str) -> str:
    """Write what a network starts from: `imagenet weights`, `no weights`."""
    return "no weights" if label == NO_WEIGHTS else f"{label} weights"


def held_out(folds: int) -> str:
    """Name what options and thresholds are chosen on: `validation`, or `5 folds`."""
    return f"{folds} folds" if folds else "validation"


#: Marks every figure of what options and thresholds were chosen on.
OPTIMISTIC = "optimistic"


def optimistic(folds: int) -> str:
    """Name what options are chosen on, marked: a metric there was selected for being high."""
    return f"{held_out(folds)}, {OPTIMISTIC}"


def threshold_reason(threshold: float, folds: int) -> str:
    """Say why a model's threshold is what it is."""
    if threshold == USUAL_THRESHOLD:
        return f"since no other is shown to be better on {held_out(folds)}"
    return f"which is shown to be better than {USUAL_THRESHOLD} on {held_out(folds)}"


def format_band(band: UnsureBand) -> str:
    """Write the scores at which a model is unsure: `scores 0.310 to 0.620`."""
    if band.low == band.high:
        return "no score"
    return f"scores {band.low:.3f} to {min(band.high, 1.0):.3f}"


def with_interval(estimate: Estimate | None, first: bool = False) -> str:
    """Write a metric, or a difference, with its interval: `0.842 (0.806 to 0.878)`.

    Args:
        estimate: Where it is not known, or not a number, a dash stands for it.
        first: Of a sentence, which then says `95 %`.
    """
    if estimate is None or isnan(estimate.value):
        return UNKNOWN
    value, low, high = (signed(v, 3) for v in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({'95 % ' if first else ''}{low} to {high})"


def search_effort(search: SearchRecord) -> str:
    """Write what a search took: `20 trials in 18 s`."""
    count = len(search.trials)
    return f"{count:,} trial{'s' * (count != 1)} in {search.seconds:,.0f} s"


def floor_with_interval(floor: ShortcutFloor | None) -> str:
    """Write what metadata alone score."""
    return UNKNOWN if floor is None else with_interval(floor.estimate)


def generators_seen(generators: Mapping[str, int]) -> str:
    """Write how many fakes of training and validation each generator made."""
    shown = (f"{visible(name)} ({images:,})" for name, images in generators.items())
    return ", ".join(shown)


def class_counts(cell: SetScores) -> tuple[int, int]:
    """Return the numbers of real and of fake images."""
    fakes = int((cell.scored.y_true == FAKE).sum())
    return cell.images - fakes, fakes


def part_counts(cell: SetScores, part: str) -> tuple[int, int]:
    """Return the numbers of real and of fake images of a part.

    The real images of a generator or tier are those of the set.
    """
    labels = cell.scored.y_true
    of = part_members(labels, cell.scored.described)[part]
    reals = of | is_of_fakes(part)
    return int((reals & (labels == REAL)).sum()), int((of & (labels == FAKE)).sum())


def format_images(cell: SetScores) -> str:
    """Write how many images of which class: `n = 1,081 real, 960 fake`."""
    reals, fakes = class_counts(cell)
    both = {REAL: f"{reals:,} real", FAKE: f"{fakes:,} fake"}
    return f"n = {', '.join(both[label] for label in sorted(cell.classes))}"


LONGEST_LABEL = 44
_LONGEST_DATA = 44


def label_of(model: ModelRobustness) -> str:
    """Return a model's name, short and visible."""
    return elided(model.model.label, LONGEST_LABEL)


def data_of(robustness: Robustness) -> str:
    """Return the name of the test set, short and visible."""
    return elided(robustness.data, _LONGEST_DATA)


def format_test_images(robustness: Robustness) -> str:
    """Say how many images of which test set: `400 images of faces (its test split; …)`."""
    return (
        f"{counted(robustness.images, 'image')} of {data_of(robustness)} ({robustness.chosen}; "
        f"{robustness.real:,} real, {robustness.fake:,} fake)"
    )


def described(robustness: Robustness) -> str:
    """Say in two lines what a picture is of."""
    count = len(robustness.models)
    which = label_of(robustness.models[0]) if count == 1 else f"{count} models"
    return f"{which} on {data_of(robustness)}\n{_numbers(robustness)}"


def _numbers(robustness: Robustness) -> str:
    return f"n = {robustness.images:,} test images, with 95 % intervals"
