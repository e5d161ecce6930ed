"""Counts what a picture's file is made of before it is decoded: small files can be long work."""

import re
from pathlib import Path
from typing import IO

from PIL import BmpImagePlugin, Image

from fakeface_bench.errors import DataError

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
    """Return a file at its beginning, or refuse it for its many parts.

    Raises:
        DataError: If it has more than `MAX_PARTS` or `MAX_SCANS`.
    """
    begin = file.read(len(_PNG))
    file.seek(0)
    if begin == _PNG:
        _check_chunks(file.read())
    elif begin.startswith(_JPEG):
        _check_segments(file.read())
    file.seek(0)
    return file


def check_coding(image: Image.Image) -> None:
    """Refuse a run-length coded BMP that would be long in decoding.

    Raises:
        DataError: If it has more than `MAX_CODED_PIXELS`.
    """
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
    """Follow the markers as decoders do, to the end of the first picture."""
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
