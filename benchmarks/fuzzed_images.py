"""Small pictures damaged at random, the same for each seed."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from PIL import Image

Mutation = Callable[[random.Random, bytes], bytes]

#: Values at which lengths, counts and sides overflow or end.
_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x3FFF, 60_000, 0x7FFFFFFF, 0xFFFFFFFF)
_LONGEST_RUN = 64
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"
#: Of a PNG's chunk: length, name and checksum.
_PNG_FRAME = 12


@cache
def whole_pictures() -> Sequence[tuple[str, bytes]]:
    """Return pictures of all kinds that are read, each with the ending of its name."""
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(rough).resize((160, 120), Image.Resampling.BICUBIC)
    see_through = picture.copy()
    see_through.putalpha(picture.convert("L"))
    deep = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "a camera", 0x0132: "2026:01:01 00:00:00"})
    moving = {"save_all": True, "append_images": [picture.rotate(90 * n) for n in (1, 2, 3)]}
    kinds: list[tuple[str, Image.Image, dict[str, object]]] = [
        (".jpg", picture, {"format": "JPEG", "exif": exif, "icc_profile": bytes(500)}),
        (".jpg", picture, {"format": "JPEG", "progressive": True, "subsampling": 0}),
        (".jpg", picture.convert("L"), {"format": "JPEG", "restart_marker_blocks": 2}),
        (".jpg", picture.convert("CMYK"), {"format": "JPEG"}),
        (".jpg", picture, {"format": "MPO", **moving}),
        (".png", picture, {"format": "PNG", "exif": exif}),
        (".png", picture.convert("P"), {"format": "PNG", "transparency": 3}),
        (".png", see_through, {"format": "PNG", "icc_profile": bytes(500)}),
        (".png", deep, {"format": "PNG"}),
        (".png", picture.convert("1"), {"format": "PNG"}),
        (".png", picture, {"format": "PNG", **moving}),
        (".webp", picture, {"format": "WEBP", "exif": exif}),
        (".webp", see_through, {"format": "WEBP", "lossless": True}),
        (".webp", picture, {"format": "WEBP", **moving}),
        (".gif", picture, {"format": "GIF", **moving}),
        (".bmp", picture, {"format": "BMP"}),
        (".bmp", picture.convert("P"), {"format": "BMP"}),
        (".tif", picture, {"format": "TIFF", "compression": "tiff_lzw"}),
        (".tif", picture, {"format": "TIFF", "compression": "jpeg"}),
        (".tif", deep, {"format": "TIFF"}),
    ]
    return [(suffix, _saved(image, options)) for suffix, image, options in kinds]


def fuzzed_image(seed: int) -> tuple[str, bytes]:
    """Return a damaged picture, the same for each seed, and the ending of its name.

    Three in four are JPEG, PNG or WebP, the formats of datasets.
    """
    rng = random.Random(seed)
    pictures = whole_pictures()
    of_datasets = [kind for kind in pictures if kind[0] in (".jpg", ".png", ".webp")]
    suffix, content = rng.choice(of_datasets if rng.random() < 0.5 else pictures)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(_MUTATIONS)(rng, content)
    if content.startswith(_PNG_BEGIN) and rng.random() < 0.7:
        content = _with_checksums(content)
    return suffix, content


def _saved(image: Image.Image, options: Mapping[str, object]) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def _flip_bits(rng: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 2, 8, 64))):
        if damaged:
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _overwrite(rng: random.Random, content: bytes) -> bytes:
    start, length = rng.randrange(len(content) + 1), rng.randint(1, _LONGEST_RUN)
    run = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
    return content[:start] + run + content[start + length :]


def _truncate(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _splice(rng: random.Random, content: bytes) -> bytes:
    """Go on with another picture, of another format as often as not."""
    other = rng.choice(whole_pictures())[1]
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other)) :]


def _extreme_field(rng: random.Random, content: bytes) -> bytes:
    """Set what may be a side, a length or a count, mostly within the header."""
    reach = rng.choice((32, 200, len(content)))
    form = rng.choice((">B", ">H", "<H", ">I", "<I"))
    size = struct.calcsize(form)
    if len(content) <= size:
        return content
    place = rng.randrange(min(reach, len(content) - size))
    value = rng.choice(_EXTREMES) & (256**size - 1)
    return content[:place] + struct.pack(form, value) + content[place + size :]


def _shuffle_chunks(rng: random.Random, content: bytes) -> bytes:
    """Delete, repeat or exchange parts as the format has them."""
    parts = chunks(content)
    if len(parts) < 3:
        return content
    one, other = rng.randrange(1, len(parts)), rng.randrange(1, len(parts))
    match rng.choice(("delete", "repeat", "exchange")):
        case "delete":
            del parts[one]
        case "repeat":
            parts[one:one] = [parts[one]] * rng.choice((1, 2, 50))
        case _:
            parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


def _plant_metadata(rng: random.Random, content: bytes) -> bytes:
    """Put garbage where EXIF data, a colour profile or text belong."""
    garbage = rng.randbytes(rng.choice((0, 7, 300, 20_000)))
    exif = rng.choice((b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II*\0\xff\xff\xff\xff")) + garbage
    if content.startswith(b"\xff\xd8"):
        body = rng.choice(
            (b"Exif\0\0" + exif, b"ICC_PROFILE\0\x01\x01" + garbage, b"MPF\0" + exif, garbage)
        )
        marker = rng.choice((0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE))
        planted = struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
        return content[:2] + planted + content[2:]
    if content.startswith(_PNG_BEGIN):
        text = b"key\0\0" + rng.choice((garbage, zlib.compress(garbage)))
        name = rng.choice((b"eXIf", b"iCCP", b"zTXt", b"iTXt", b"tRNS", b"acTL", b"fcTL", b"pHYs"))
        end = len(_PNG_BEGIN) + 13 + _PNG_FRAME
        return content[:end] + png_chunk(name, rng.choice((exif, text))) + content[end:]
    if content[8:12] == b"WEBP":
        name = rng.choice((b"EXIF", b"ICCP", b"XMP ", b"ANMF"))
        return content + name + struct.pack("<I", len(exif)) + exif
    return content + garbage


#: What may be done to a picture.
_MUTATIONS: Sequence[Mutation] = (
    _flip_bits,
    _overwrite,
    _truncate,
    _splice,
    _extreme_field,
    _extreme_field,
    _shuffle_chunks,
    _plant_metadata,
)


def chunks(content: bytes) -> list[bytes]:
    """Take a picture apart as its format is laid out; joined, the parts are the same again."""
    if content.startswith(_PNG_BEGIN):
        return _counted(content, 8, ">I", 0, _PNG_FRAME)
    if content[8:12] == b"WEBP":
        return _counted(content, 12, "<I", 4, 8)
    if content.startswith(b"\xff\xd8"):
        return _counted(content, 2, ">H", 2, 2)
    side = max(1, len(content) // 16)
    return [content[start : start + side] for start in range(0, len(content), side)]


def _counted(content: bytes, start: int, form: str, offset: int, frame: int) -> list[bytes]:
    """Take parts that tell their length at `offset`, apart from `frame` bytes; the rest is one."""
    parts = [content[:start]]
    while start + offset + 4 <= len(content):
        (length,) = struct.unpack_from(form, content, start + offset)
        end = start + frame + length
        if end > len(content) or (form == ">H" and content[start] != 0xFF):
            break
        parts.append(content[start:end])
        start = end
    return [*parts, content[start:]]


def _with_checksums(content: bytes) -> bytes:
    """Make a PNG's checksums right, so that decoding goes deep."""
    begin, *parts, rest = chunks(content)
    return begin + b"".join(png_chunk(part[4:8], part[8:-4]) for part in parts) + rest


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
