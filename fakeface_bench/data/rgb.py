"""Any picture as a viewer shows it: upright, in red, green and blue, on white."""

import numpy as np
from PIL import Image, ImageOps

from fakeface_bench.errors import DataError

_ROWS_AT_ONCE = 256


def upright_rgb(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation says, and bring it to RGB."""
    if image.mode in ("I", "F"):
        raise DataError("its pixels are numbers of 32 bits, whose white nothing states")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow would clip it to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white, some rows at a time: whole copies take much memory."""
    page = Image.new("RGB", image.size, "white")
    for top in range(0, image.height, _ROWS_AT_ONCE):
        rows = image.crop((0, top, image.width, min(top + _ROWS_AT_ONCE, image.height)))
        rows = rows.convert("RGBA")
        white = Image.new("RGBA", rows.size, "white")
        page.paste(Image.alpha_composite(white, rows).convert("RGB"), (0, top))
    return page
