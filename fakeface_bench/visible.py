"""Text from outside, made fit to be shown: what steers a terminal or hides in a line is told."""

#: Of a path in a table of the page; the CSV tables hold it whole.
LONGEST_SHOWN = 96


def visible(text: str) -> str:
    """Return text with control, direction and other unprintable characters as escapes.

    A newline becomes `\\n`: the result is one line that shows what the name really is.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def elided(text: str, most: int = LONGEST_SHOWN) -> str:
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
