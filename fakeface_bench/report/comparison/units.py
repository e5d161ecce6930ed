"""Costs and figures as a reader takes them in: seconds to hours, points, dollars, p values."""

from collections.abc import Sequence

from fakeface_bench.evaluation.intervals import Interval
from fakeface_bench.records import Ledger

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


def points_range(interval: Interval) -> str:
    """Write an interval in points: `−1.2 to 2.9`."""
    return f"{points(interval.low)} to {points(interval.high)}"


def p_value(p: float) -> str:
    """Write a p value so that none is told to be 0: `0.041`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_told(p: float) -> str:
    """Write a p value in a sentence: `p = 0.041`, `p < 0.001`."""
    return f"p {p_value(p)}" if p < 0.001 else f"p = {p_value(p)}"


def sentence_end(text: str) -> str:
    """End a text with one full stop."""
    return f"{text.rstrip('. ')}."


def listed(names: Sequence[str], most: int = 4) -> str:
    """Join names in a sentence; of more than `most` the rest is counted."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
