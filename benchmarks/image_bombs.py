"""Small files that hold, or claim, what no memory and no patience would suffice for."""

import io
import struct
import zlib
from collections.abc import Callable, Mapping

from PIL import Image

from benchmarks.fuzzed_images import png_chunk, whole_pictures

#: With this side a picture is nearly as large as is let in, 89 million pixels.
LARGEST_SIDE = 9_400
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"
#: Of a JPEG's Huffman table with a single code of one bit.
_ONE_CODE = bytes((1, *[0] * 15))
#: Ends the blocks of a band for 2¹⁴ blocks and as many more as the next 14 bits say.
_END_OF_BAND = 0xE0
#: A PNG's chunk that says nothing.
_NOTHING = png_chunk(b"noTh", b"")


def bombs() -> Mapping[str, tuple[str, Callable[[], bytes]]]:
    """Return by name the ending of each bomb's file, and what makes its content."""
    side = LARGEST_SIDE
    return {
        "PNG claiming 60,000 pixels a side": (".png", lambda: png(60_000, 60_000, b"")),
        "PNG of zeros, as large as is let in": (".png", lambda: _png_of_zeros(side)),
        "PNG whose pixels go on for 200 MB": (".png", lambda: png(64, 64, zeros(200))),
        "PNG with 100 MB of text": (".png", lambda: _png_with(b"zTXt", b"k\0\0" + zeros(100))),
        "PNG with a profile of 100 MB": (".png", lambda: _png_with(b"iCCP", b"k\0\0" + zeros(100))),
        "PNG with 3,000 texts of 1 MB": (".png", _png_of_texts),
        "PNG claiming four billion frames": (".png", _png_of_frames),
        "JPEG claiming 65,500 pixels a side": (".jpg", lambda: jpeg_of_scans(65_500, 1)),
        "JPEG of 5,000 scans": (".jpg", lambda: jpeg_of_scans(side, 5_000)),
        "JPEG of as many scans as are let in": (".jpg", lambda: jpeg_of_scans(side, 99)),
        "JPEG of 5,000 empty scans": (".jpg", lambda: jpeg_of_scans(side, 5_000, b"")),
        "JPEG of two million segments": (".jpg", lambda: _jpeg_with(b"\xff\xfe\0\2" * 2_000_000)),
        "PNG of a million chunks": (".png", lambda: png(64, 64, zeros(1), *[_NOTHING] * 1_000_000)),
        "JPEG with EXIF data that go round": (".jpg", _jpeg_of_looping_exif),
        "JPEG with EXIF data that claim gigabytes": (".jpg", _jpeg_of_long_exif),
        "WebP of 16,383 pixels a side": (".webp", lambda: _webp(16_383)),
        "WebP as large as is let in": (".webp", lambda: _webp(side)),
        "GIF of 50,000 frames": (".gif", lambda: gif_of_frames(50_000, 1)),
        "GIF of 2,000 frames of 2,000 pixels a side": (".gif", lambda: gif_of_frames(2_000, 2_000)),
        "BMP of rows that end at once": (".bmp", lambda: _bmp_of_ends(side)),
        "TIFF whose directories go round": (".tif", _tiff_of_loops),
        "TIFF with tags of absurd counts": (".tif", _tiff_of_counts),
        "TIFF of 20,000 pages": (".tif", lambda: _tiff_of_pages(20_000)),
        "TIFF of zeros, as large as is let in": (".tif", lambda: _tiff_of_zeros(side)),
    }


def zeros(megabytes: int) -> bytes:
    """Return so many 10⁶ zeros, compressed as PNG has them."""
    squeezed = zlib.compressobj(9)
    parts = [squeezed.compress(bytes(10**6)) for _ in range(megabytes)]
    return b"".join((*parts, squeezed.flush()))


def png(width: int, height: int, pixels: bytes, *others: bytes) -> bytes:
    """Return a PNG of RGBA pixels, compressed before, and further chunks."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = (png_chunk(b"IHDR", header), *others, png_chunk(b"IDAT", pixels))
    return _PNG_BEGIN + b"".join(parts) + png_chunk(b"IEND", b"")


def _png_of_zeros(side: int) -> bytes:
    return png(side, side, zeros(side * (4 * side + 1) // 10**6 + 1))


def _png_with(name: bytes, body: bytes) -> bytes:
    return png(64, 64, zeros(1), png_chunk(name, body))


def _png_of_texts() -> bytes:
    return png(64, 64, zeros(1), *[png_chunk(b"zTXt", b"k\0\0" + zeros(1))] * 3_000)


def _png_of_frames() -> bytes:
    return _png_with(b"acTL", struct.pack(">II", 0xFFFFFFFF, 0))


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_of_scans(side: int, scans: int, codes: bytes | None = None) -> bytes:
    """Return a progressive grey JPEG whose every scan says of all blocks that they are empty.

    Args:
        side: In pixels.
        scans: How many come after the first.
        codes: Of each scan; as many as its blocks need when None.
    """
    runs = (-(-side // 8)) ** 2 // (2**15 - 1) + 1
    bits = ("0" + "1" * 14) * runs
    band = int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2).to_bytes(-(-len(bits) // 8), "big")
    band = band.replace(b"\xff", b"\xff\x00") if codes is None else codes
    head = (
        b"\xff\xd8",
        _segment(0xDB, bytes((0, *[16] * 64))),
        _segment(0xC2, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0)),
        _segment(0xC4, b"\x00" + _ONE_CODE + b"\x00"),
        _segment(0xC4, b"\x10" + _ONE_CODE + bytes((_END_OF_BAND,))),
        _segment(0xDA, bytes((1, 1, 0, 0, 0, 0))),
        bytes((-(-side // 8)) ** 2 // 8 + 1),
    )
    scan = _segment(0xDA, bytes((1, 1, 0, 1, 63, 0))) + band
    return b"".join(head) + scan * scans + b"\xff\xd9"


def _jpeg_with(segments: bytes) -> bytes:
    jpeg = next(content for suffix, content in whole_pictures() if suffix == ".jpg")
    return jpeg[:2] + segments + jpeg[2:]


def _jpeg_with_exif(exif: bytes) -> bytes:
    return _jpeg_with(_segment(0xE1, b"Exif\0\0" + exif))


def _jpeg_of_looping_exif() -> bytes:
    """Every directory leads back to itself: as the next one, EXIF's, GPS's and interoperability's.

    The orientation is one that must be acted on, which writes the EXIF data again.
    """
    tags = [(0x0112, 3, 1, 6 << 16), *((tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005))]
    entries = b"".join(struct.pack(">HHII", *tag) for tag in tags)
    return _jpeg_with_exif(b"MM\0*\0\0\0\x08" + struct.pack(">H", 4) + entries + b"\0\0\0\x08")


def _jpeg_of_long_exif() -> bytes:
    count = 5_000
    entries = [struct.pack(">HHII", 0x0112, 3, 1, 6 << 16)]
    entries += [struct.pack(">HHII", tag, 2, 0xFFFFFFF0, 8) for tag in range(count)]
    return _jpeg_with_exif(b"MM\0*\0\0\0\x08" + struct.pack(">H", count) + b"".join(entries))


def _webp(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (side, side)).save(stream, "WEBP", lossless=True, quality=0, method=0)
    return stream.getvalue()


def gif_of_frames(frames: int, side: int) -> bytes:
    """Return a GIF whose frames are all the same."""
    stream = io.BytesIO()
    Image.new("P", (side, side)).save(stream, "GIF")
    content = stream.getvalue()
    start = content.index(b"\x2c", 13 + 3 * 2 ** ((content[10] & 7) + 1))
    return content[:start] + content[start:-1] * frames + b";"


def _bmp_of_ends(side: int) -> bytes:
    """Return a run-length coded BMP with a pixel a row, the rest of which is to be filled."""
    rows = bytes((1, 0, 0, 0)) * side + b"\0\1"
    palette = bytes(256 * 4)
    start = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(rows), 0, 0, 256, 0)
    begin = struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start)
    return begin + header + palette + rows


def _directory(tags: Mapping[int, tuple[int, int, int]], following: int) -> bytes:
    """Return a TIFF's directory: tags with type, count and value or place, and the next's place."""
    entries = [struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items())]
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)


#: Of a grey TIFF of 8 × 8 pixels that begin at byte 8.
_GREY = {
    256: (4, 1, 8),
    257: (4, 1, 8),
    258: (3, 1, 8),
    259: (3, 1, 1),
    262: (3, 1, 1),
    273: (4, 1, 8),
    277: (3, 1, 1),
    278: (4, 1, 8),
    279: (4, 1, 64),
}


def _tiff_of_loops() -> bytes:
    return b"II*\0\x48\0\0\0" + bytes(range(64)) + _directory(_GREY, 72)


def _tiff_of_counts() -> bytes:
    tags = {**_GREY, **{tag: (12, 0x1FFFFFFF, 8) for tag in range(40_000, 45_000)}}
    return b"II*\0\x48\0\0\0" + bytes(range(64)) + _directory(tags, 0)


def _tiff_of_pages(pages: int) -> bytes:
    size = len(_directory(_GREY, 0))
    directories = [_directory(_GREY, 72 + size * (n + 1)) for n in range(pages - 1)]
    content = b"".join((*directories, _directory(_GREY, 0)))
    return b"II*\0\x48\0\0\0" + bytes(range(64)) + content


def _tiff_of_zeros(side: int) -> bytes:
    strip = zeros(side * side // 10**6 + 1)
    sized = {256: (4, 1, side), 257: (4, 1, side), 278: (4, 1, side), 279: (4, 1, len(strip))}
    tags = _GREY | sized | {259: (3, 1, 8)}
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + _directory(tags, 0)
