"""What pages of reports share: templates, and pictures within the file.

Every text passes through jinja2's autoescape: names from outside may be anything.
"""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from fakeface_bench.report.format import named
from fakeface_bench.support.text import elided

_THUMBNAIL_QUALITY = 88


def page_environment() -> Environment:
    """Return the templates of all pages."""
    environment = Environment(
        loader=PackageLoader("fakeface_bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thumbnail"] = _thumbnail_uri
    environment.filters["elided"] = elided
    environment.filters["tied"] = _tied
    environment.filters["shown"] = named
    return environment


@dataclass(frozen=True, slots=True)
class Verdict:
    """The conclusion of a page: a headline, a paragraph, and how the page colours them.

    `weight` is `good`, `note` or `care`.
    """

    headline: str
    paragraph: str
    weight: str


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A picture within the page; its size in pixels keeps the page still while it loads."""

    uri: str
    alt: str
    width: int
    height: int


def page_picture(path: Path, alt: str) -> PagePicture:
    """Read a PNG that lies beside the page, which then holds it."""
    content = path.read_bytes()
    with Image.open(BytesIO(content)) as picture:
        width, height = picture.size
    return PagePicture(data_uri(content, "png"), alt, width, height)


def data_uri(content: bytes, kind: str) -> str:
    """Return a picture as an address that holds it; `kind` is `png` or `jpeg`."""
    return f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"


def _thumbnail_uri(pixels: npt.NDArray[np.uint8]) -> str:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=_THUMBNAIL_QUALITY)
    return data_uri(stream.getvalue(), "jpeg")


def _tied(text: str) -> str:
    """Keep a number and its per cent sign on one line, and a p with its value."""
    fixed = "\N{NO-BREAK SPACE}"
    return text.replace(" %", f"{fixed}%").replace("p < ", f"p{fixed}<{fixed}")
