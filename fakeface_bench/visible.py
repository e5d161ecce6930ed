"""Text from outside, made fit to be shown: what steers a terminal or hides in a line is told."""


def visible(text: str) -> str:
    """Return text with control, direction and other unprintable characters as escapes.

    A newline becomes `\\n`: the result is one line that shows what the name really is.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
