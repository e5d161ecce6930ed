"""What an image looks like, in bytes that survive re-encoding: a perceptual hash, and colours."""

import imagehash
import numpy as np
from PIL import Image, ImageOps

#: Side of the hash: 16 × 16 bits of the lowest frequencies.
HASH_SIDE = 16
HASH_BYTES = HASH_SIDE**2 // 8
#: Side of the small copy whose colours are compared.
THUMBNAIL_SIDE = 16
#: Raise it with any change here that alters a signature.
SIGNATURE_VERSION = 1
SIGNATURE_BYTES = 2 * HASH_BYTES + 3 * THUMBNAIL_SIDE**2

#: Side at which `imagehash.phash` takes its cosine transform.
_HASHED_SIDE = 4 * HASH_SIDE
#: Below this standard deviation of its grey values an image shows nothing: all such look alike.
_LEAST_CONTRAST = 2.0


def signature(image: Image.Image) -> bytes:
    """Return the signature of an RGB image: its hash, its mirror's hash, a thumbnail.

    Returns:
        `SIGNATURE_BYTES` bytes: two perceptual hashes of 256 bits (DCT of the grey image, each of
        its 16 × 16 lowest frequencies above or below their median), then 16 × 16 RGB. Empty for an
        image without contrast, whose hash would be that of any other such image.
    """
    grey = _shrunk(image.convert("L"), _HASHED_SIDE, Image.Resampling.LANCZOS)
    if np.asarray(grey).std() < _LEAST_CONTRAST:
        return b""
    hashes = (_hash(grey), _hash(ImageOps.mirror(grey)))
    thumbnail = _shrunk(image, THUMBNAIL_SIDE, Image.Resampling.BOX)
    return b"".join((*hashes, thumbnail.tobytes()))


def _shrunk(image: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    """Resize to a square; an integer reduction before it costs no visible detail."""
    return image.resize((side, side), resampling, reducing_gap=2.0)


def _hash(grey: Image.Image) -> bytes:
    return np.packbits(imagehash.phash(grey, hash_size=HASH_SIDE).hash).tobytes()
