"""How every page words names, numbers and shares: one line, nothing too long, nothing invisible."""

from fakeface_bench import errors
from fakeface_bench.visible import visible


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
