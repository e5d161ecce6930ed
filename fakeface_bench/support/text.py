"""Text from outside, made fit to be shown: nothing that steers a terminal, and no password."""

import re
from collections.abc import Iterable

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
        most: At least 5.
    """
    shown = visible(text)
    if len(shown) <= most:
        return shown
    head = (most - 1) // 3
    return f"{shown[:head]}…{shown[len(shown) - (most - 1 - head) :]}"


#: What may stand for a user, then a password, an at sign.
_OF_DATABASE = re.compile(r"""^((?!file:)[\w+.-]+://)[^\s:/?#@["'<>]*(?::.*)?@""", re.DOTALL)
_USER_ALONE = re.compile(r"^([\w+.-]+://)[^\s:/?#@]*@(?!.*@)", re.DOTALL)
_OF_WEB = re.compile(
    r"""^(https?://)[^\s:/?#@["'<>]*(?::(?!\d{0,5}(?:[/?#\s"'<>),;]|$)).*)?@""", re.I | re.DOTALL
)
#: A field of a query, or of a PostgreSQL connection, that keeps a secret; percent-encoded too.
_SECRET_FIELD = re.compile(
    r"(\b[\w-]{0,30}(?:password|passwd|pwd|passphrase|secret|token|signature|api_?key)(?:=|%3D))"
    r"(?:(?!%26)[^\s&\"'#])+",
    re.IGNORECASE,
)
_SCHEME = r"\b[a-z][a-z\d+.-]{0,30}"
#: Up to the next white space or URL.
_URL = re.compile(rf"{_SCHEME}://(?:(?!{_SCHEME}://)\S)*", re.IGNORECASE)
#: The same within another URL's query, or wherever else it was percent-encoded.
_ENCODED = re.compile(rf"({_SCHEME}%3A%2F%2F)(?:(?!%2F|%3F|%26)[^\s/?&#@])*%40", re.IGNORECASE)


def without_credentials(url: str) -> str:
    """Return a URL without user and password, and with its query's passwords blanked.

    SQLAlchemy takes passwords with slashes and at signs in them, so all up to the last at sign
    counts. In a web address a port or a path ends it sooner.
    """
    shown = (_OF_WEB if url.lower().startswith("http") else _OF_DATABASE).sub(r"\1", url)
    return _SECRET_FIELD.sub(r"\1***", shown)


def holds_password(url: str) -> bool:
    """Whether a database's URL has more than a user's name that is not to be shown."""
    return without_credentials(url) not in (url, _USER_ALONE.sub(r"\1", url))


def hide_credentials(text: str) -> str:
    """Return a text whose URLs have lost user and password, and any `password=` its value."""
    shown = _URL.sub(lambda found: without_credentials(found[0]), text)
    return _SECRET_FIELD.sub(r"\1***", _ENCODED.sub(r"\1", shown))


#: Stands for a place on somebody's machine.
A_PLACE = "PLACE"
_IN_PATH = r"""[^\s"'<>|:,;()/\\]"""
#: A path from a root, a home, a drive or a server on, and any URL of a file.
_PATH = re.compile(
    rf"""\b\w+:/{{3,}}\S+|file:/\S+|(?<![\w/\\.<~])(?:~|[A-Za-z]:)?(?:/(?!/)|\\{{1,2}})"""
    rf"""{_IN_PATH}{{2,}}(?:[/\\]{_IN_PATH}*)*"""
)


def hide_places(text: str, places: Iterable[str] = ()) -> str:
    """Return a text without passwords and without paths that begin at a root, a home or a drive.

    Args:
        places: Paths that are known, which may hold spaces; what follows them is hidden too.
    """
    for place in sorted(filter(None, places), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(place)}(?:{_IN_PATH}|[/\\])*", A_PLACE, text)
    return _PATH.sub(A_PLACE, hide_credentials(text))
