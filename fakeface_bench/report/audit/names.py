"""Names from outside made fit to be shown: nothing invisible, nothing too long, one line."""

import pandas as pd

#: Of a path in a table of the page; the CSV tables hold it whole.
LONGEST_SHOWN = 96


def visible(text: str) -> str:
    """Return text with control, direction and other unprintable characters as escapes.

    A newline becomes `\\n`, a byte that is no UTF-8 `\\udcff`: the result is one line that any
    file can hold and that shows what the name really is.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, most: int = LONGEST_SHOWN) -> str:
    """Return visible text of at most so many characters, both ends kept: an end tells files apart.

    Args:
        text: A name or a path.
        most: At least 5.
    """
    shown = visible(text)
    if len(shown) <= most:
        return shown
    head = (most - 1) // 3
    return f"{shown[:head]}…{shown[len(shown) - (most - 1 - head) :]}"


def encodable(column: pd.Series) -> pd.Series:
    """Return a column in which Parquet's UTF-8 can hold every text; others stay as they are.

    Only a column of dtype `object` can hold the halves of characters that stand for the bytes
    of a name that is no UTF-8.
    """
    if column.dtype != object:
        return column
    return column.map(
        lambda text: (
            text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text
        )
    )


def percent(share: float) -> str:
    """Show a share in per cent, never rounding a few to none nor most to all."""
    if 0 < share < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 image`, `2,000 images`, `0 images`; a plural that is not noun + s is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
