"""One image file to the pixels a network sees: checked, decoded, upright, fitted to the input."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import PIL
from PIL import BmpImagePlugin, ExifTags, Image, ImageOps

from fakeface_bench.support.errors import DataError, NotAnImageError

#: Chunks of a PNG, segments of a JPEG. A hundred megabytes have some ten thousand; Pillow reads
#: them one by one, and millions fit into a file that is let in.
MAX_PARTS = 100_000
#: A progressive JPEG redraws the whole picture with each; ten are usual, and thousands fit into a
#: small file that takes minutes.
MAX_SCANS = 100
#: Of a run-length coded BMP, which Pillow decodes in Python: a hundred nanoseconds a pixel.
MAX_CODED_PIXELS = 16_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
#: Of a PNG's chunk: length, name and checksum.
_FRAME_BYTES = 12
#: A JPEG's marker; within pixels, 255 is followed by 0, or by what restarts the decoder.
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
_BEGIN, _END, _SCAN = 0xD8, 0xD9, 0xDA
#: What the containers of HEIF and of videos call their content.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"isom", b"iso2", b"mp41", b"mp42", b"qt  "), "a video"),
}


def check_parts(file: IO[bytes]) -> IO[bytes]:
    """Return a file at its beginning, or refuse it for its many parts."""
    begin = file.read(len(_PNG))
    file.seek(0)
    if begin == _PNG:
        _check_chunks(file.read())
    elif begin.startswith(_JPEG):
        _check_segments(file.read())
    file.seek(0)
    return file


def check_coding(image: Image.Image) -> None:
    """Refuse a run-length coded BMP that would be long in decoding."""
    if isinstance(image, BmpImagePlugin.BmpImageFile):
        coded = any(tile[0] == "bmp_rle" for tile in image.tile)
        if coded and image.width * image.height > MAX_CODED_PIXELS:
            raise DataError(
                f"too large for a run-length coded BMP: {image.width} × {image.height} pixels, at "
                f"most {MAX_CODED_PIXELS:,} in all"
            )


def _check_chunks(content: bytes) -> None:
    if len(content) <= MAX_PARTS * _FRAME_BYTES:
        return
    at, chunks = len(_PNG), 0
    while at < len(content):
        chunks += 1
        if chunks > MAX_PARTS:
            raise DataError(f"too many chunks for a PNG: more than {MAX_PARTS:,}")
        at += _FRAME_BYTES + int.from_bytes(content[at : at + 4], "big")


def _check_segments(content: bytes) -> None:
    """Follow the markers as decoders do, to the end of the first picture.

    Not where the bytes that begin one are too few anyway: that costs a fifth of decoding.
    """
    if content.count(b"\xff") <= MAX_PARTS and content.count(b"\xff\xda") <= MAX_SCANS:
        return
    at = segments = scans = 0
    while found := _MARKER.search(content, at):
        (code,) = found[1]
        at = found.end()
        if code == _END:
            return
        segments += 1
        scans += code == _SCAN
        if scans > MAX_SCANS:
            raise DataError(f"too many scans for a JPEG: more than {MAX_SCANS}")
        if segments > MAX_PARTS:
            raise DataError(f"too many segments for a JPEG: more than {MAX_PARTS:,}")
        if code != _BEGIN:
            at += int.from_bytes(content[at : at + 2], "big")


def content_of(source: Path | IO[bytes]) -> str:
    """Say of content that cannot be read what it is, as far as its first bytes tell."""
    if isinstance(source, Path):
        with open(source, "rb") as file:
            begin = file.read(12)
    else:
        source.seek(0)
        begin = source.read(12)
    name = _BRANDS.get(begin[8:12]) if begin[4:8] == b"ftyp" else None
    if name is None:
        return "its content is of no known format"
    return f"its content is {name}, whatever it is called; convert it to PNG"


_ROWS_AT_ONCE = 256


def upright_rgb(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation says, and bring it to RGB."""
    if image.mode in ("I", "F"):
        raise DataError("its pixels are numbers of 32 bits, whose white nothing states")
    image.load()
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # else it would be copied
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow would clip it to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white, some rows at a time: whole copies take much memory."""
    page = Image.new("RGB", image.size, "white")
    for top in range(0, image.height, _ROWS_AT_ONCE):
        rows = image.crop((0, top, image.width, min(top + _ROWS_AT_ONCE, image.height)))
        rows = rows.convert("RGBA")
        white = Image.new("RGBA", rows.size, "white")
        page.paste(Image.alpha_composite(white, rows).convert("RGB"), (0, top))
    return page


#: Raise it with any change here that alters a decoded pixel.
DECODING_VERSION = 2
#: What decoded the pixels; part of every key of what is made from them.
DECODER = f"pillow {PIL.__version__}, rules {DECODING_VERSION}"
#: What a file may hold, whatever its name says (JPEG opens MPO too). Pillow knows more formats,
#: some of which start other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
#: Above this many an image is refused before it is decoded: a bomb, or a scan of a wall.
MAX_PIXELS = 89_000_000
#: A picture this many times as long as wide shows no face, and scaling its short side up to a
#: network's input would make it huge.
MAX_RATIO = 20
#: Short sides up to this many times the input are cropped as they are: scaling down is a
#: low-pass filter, and a generator's traces are high-frequency.
NATIVE_UP_TO = 1.5
#: EXIF orientations from this one up exchange width and height.
_TURNED_FROM = 5

# What Pillow has to remark on damaged metadata would stand between the lines of a command, naming
# neither file nor remedy; what damage matters is an error.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode_bytes(source: Path | IO[bytes]) -> Image.Image:
    """Decode a whole image to RGB as a viewer shows it: upright, on white, the first frame.

    Sixteen bits a channel become eight.
    """
    with opened(source) as image:
        return upright_rgb(image)


@contextmanager
def opened(source: Path | IO[bytes]) -> Iterator[Image.Image]:
    """Open an image without decoding it; whatever goes wrong within the block is a `DataError`."""
    try:
        with (
            nullcontext(source) if not isinstance(source, Path) else open(source, "rb") as file,
            Image.open(check_parts(file), formats=FORMATS) as image,
        ):
            check_shape(image)
            check_coding(image)
            yield image
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"too large: {error}") from error
    except MemoryError:  # says nothing of the file
        raise
    except PIL.UnidentifiedImageError as error:
        raise NotAnImageError(f"not a readable image: {content_of(source)}") from error
    except Exception as error:  # a broken file makes Pillow's decoders raise nearly anything
        raise DataError(f"not a readable image: {error}") from error


def check_shape(image: Image.Image) -> None:
    """Refuse what is too large or too narrow, by its size alone."""
    size = f"{image.width} × {image.height} pixels"
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"too large: {size}, at most {MAX_PIXELS:,} in all")
    if max(image.size) > MAX_RATIO * min(image.size):
        raise DataError(f"too narrow: {size}, one side at most {MAX_RATIO} times the other")


def fitted_size(width: int, height: int, size: int, fit: str) -> tuple[int, int]:
    """Return the width and height an image is scaled to before its centre is taken.

    `crop` keeps native resolution. It scales only where it must: up where the short side is below
    `size`, down (to `size`) where it is more than 1.5 times too large. `resize` scales the whole
    picture to the square, whatever its shape.
    """
    if fit == "resize":
        return size, size
    short = min(width, height)
    if size <= short <= NATIVE_UP_TO * size:
        return width, height
    return max(size, round(width * size / short)), max(size, round(height * size / short))


def fit_image(image: Image.Image, size: int, fit: str) -> Image.Image:
    """Bring an image to `size` × `size` pixels: scaled as `fitted_size` says, then its centre."""
    return centre(_fitted(image, size, fit), size, size)


def centre(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the centre of an image that is at least as large."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _fitted(image: Image.Image, size: int, fit: str) -> Image.Image:
    wanted = fitted_size(*image.size, size, fit)
    return image if wanted == image.size else image.resize(wanted, Image.Resampling.BICUBIC)


@dataclass(frozen=True, slots=True)
class Equalisation:
    """What every picture passes first, real and fake alike, so that none shows how it was kept.

    Attributes:
        side: In pixels, of the square that the centre of each picture is scaled to; 0 for none. A
            picture whose short side is that already is not scaled.
        jpeg_quality: Pillow's, 1 to 100, of the JPEG that it passes then; 0 for none.
    """

    side: int = 0
    jpeg_quality: int = 0

    @property
    def definition(self) -> dict[str, int]:
        """What is done, as the keys of what is made from such pictures hold it; empty: nothing."""
        done = {"canvas": self.side, "jpeg_quality": self.jpeg_quality}
        return {key: value for key, value in done.items() if value}

    def apply(self, image: Image.Image) -> Image.Image:
        """Return an RGB image as it comes out."""
        if self.side:
            image = centre(image, min(image.size), min(image.size))
            if image.width != self.side:
                image = image.resize((self.side, self.side), Image.Resampling.BICUBIC)
        return reencoded(image, self.jpeg_quality) if self.jpeg_quality else image


#: Pictures as they are.
AS_THEY_ARE = Equalisation()


def reencoded(image: Image.Image, quality: int) -> Image.Image:
    """Return an RGB image as it comes back from a JPEG, chroma halved both ways (4:2:0).

    Args:
        quality: Pillow's, 1 to 100.
    """
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(stream, formats=["JPEG"]) as encoded:
        return encoded.convert("RGB")


def seen_pixels(
    image: Image.Image, size: int, fit: str, equalisation: Equalisation = AS_THEY_ARE
) -> npt.NDArray[np.uint8]:
    """Return a picture as the network sees it: uint8 RGB of shape (size, size, 3)."""
    return np.asarray(fit_image(equalisation.apply(image), size, fit), dtype=np.uint8)


def pixels_with_room(
    image: Image.Image, size: int, fit: str, side: int, equalisation: Equalisation = AS_THEY_ARE
) -> npt.NDArray[np.uint8]:
    """Return uint8 RGB (side, side, 3): the centre and some of what surrounds it, for crops.

    The picture, cut to at most `side` × `side` around its centre, lies on black so that the middle
    `size` × `size` pixels are those of `seen_pixels`.

    Args:
        side: In pixels; `side` - `size` is even.
    """
    image = _fitted(equalisation.apply(image), size, fit)
    seen = np.asarray(centre(image, min(image.width, side), min(image.height, side)))
    pixels = np.zeros((side, side, 3), dtype=np.uint8)
    top, left = (-(-(side - length) // 2) for length in seen.shape[:2])
    pixels[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return pixels


def spare_pixels(
    source: IO[bytes], size: int, fit: str, side: int, equalisation: Equalisation = AS_THEY_ARE
) -> tuple[int, int]:
    """Return by how much what `pixels_with_room` shows is higher and wider than the input.

    At most the file's header is decoded.
    """
    width = height = equalisation.side
    if not equalisation.side:
        with opened(source) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= _TURNED_FROM
            width, height = reversed(image.size) if turned else image.size
    width, height = fitted_size(width, height, size, fit)
    return min(height, side) - size, min(width, side) - size
