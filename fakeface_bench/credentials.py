"""Texts as everybody may read them: what a library says of a URL, without the URL's password."""

import re

from fakeface_bench.config.study import SECRET_FIELD, without_credentials

__all__ = ["hide_credentials", "without_credentials"]

_SCHEME = r"\b[a-z][a-z\d+.-]{0,30}"
#: Up to the next white space or URL.
_URL = re.compile(rf"{_SCHEME}://(?:(?!{_SCHEME}://)\S)*", re.IGNORECASE)
#: The same within another URL's query, or wherever else it was percent-encoded.
_ENCODED = re.compile(rf"({_SCHEME}%3A%2F%2F)(?:(?!%2F|%3F|%26)[^\s/?&#@])*%40", re.IGNORECASE)


def hide_credentials(text: str) -> str:
    """Return a text whose URLs have lost user and password, and any `password=` its value."""
    shown = _URL.sub(lambda found: without_credentials(found[0]), text)
    return SECRET_FIELD.sub(r"\1***", _ENCODED.sub(r"\1", shown))
