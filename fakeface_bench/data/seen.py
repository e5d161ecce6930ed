"""What a model has seen: the images it was trained and chosen on, which no test of it may hold.

It travels with the model as digests and perceptual hashes, from which no picture can be told.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.signature import HASH_BYTES
from fakeface_bench.errors import ModelError, shortened

SEEN_FILE = "seen.npz"
#: Hashes that differ in at most this many of 256 bits are taken for one picture. Colours, which the
#: search among the images of a dataset asks too, are not kept; benchmarks/generalise.py measures
#: how near unlike faces come to one another.
SIMILAR_BITS = 32
_DIGEST_BYTES = 32
#: Hashes compared at once, some 50 MB.
_ELEMENTS_AT_ONCE = 6_000_000

Bytes = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SeenImages:
    """The contents of training and validation images.

    Attributes:
        digests: SHA-256 of each, shape (n, 32).
        hashes: Perceptual hash of each that shows anything, shape (m, 32), m ≤ n.
    """

    digests: Bytes
    hashes: Bytes

    def __len__(self) -> int:
        return len(self.digests)

    def write(self, file: Path) -> None:
        """Write a file that `read` reads."""
        np.savez_compressed(file, digests=self.digests, hashes=self.hashes)

    @classmethod
    def read(cls, file: Path) -> "SeenImages":
        """Read what `write` wrote; nothing in it is run.

        Raises:
            ModelError: If it is damaged.
        """
        try:
            with np.load(file, allow_pickle=False) as arrays:
                seen = cls(arrays["digests"], arrays["hashes"])
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"the model is damaged: {file.name} cannot be read: {shortened(error)}"
            ) from error
        for name, values, width in (
            ("digests", seen.digests, _DIGEST_BYTES),
            ("hashes", seen.hashes, HASH_BYTES),
        ):
            if values.dtype != np.uint8 or values.shape[1:] != (width,):
                raise ModelError(f"the model is damaged: {name} in {file.name} have another form")
        return seen

    def identical(self, digests: pd.Series) -> BoolArray:
        """Return which contents were seen, by their SHA-256 as hexadecimal text."""
        known = {row.tobytes().hex() for row in self.digests}
        return digests.isin(known).to_numpy(bool)

    def similar(self, signatures: pd.Series) -> BoolArray:
        """Return which pictures look like one that was seen, or like its mirror image.

        Args:
            signatures: As `data.signature` makes them; empty for pictures that show nothing.
        """
        found = np.zeros(len(signatures), bool)
        shown = np.flatnonzero(signatures.str.len() > 0)
        if not len(shown) or not len(self.hashes):
            return found
        packed = np.frombuffer(b"".join(signatures.iloc[shown]), np.uint8).reshape(len(shown), -1)
        both = [_words(packed[:, start : start + HASH_BYTES]) for start in (0, HASH_BYTES)]
        seen = _words(self.hashes)
        at_once = max(1, _ELEMENTS_AT_ONCE // len(seen))
        for start in range(0, len(shown), at_once):
            some = slice(start, start + at_once)
            near = [_nearest(words[some], seen) <= SIMILAR_BITS for words in both]
            found[shown[some]] = near[0] | near[1]
        return found


def seen_images(files: pd.DataFrame, index: ImageIndex) -> SeenImages:
    """Return what a study shows its models.

    Args:
        files: Of a survey, with digests and signatures.
        index: The images that the study uses.
    """
    used = index.frame[index.frame["split"] != "test"]["digest"].drop_duplicates()
    contents = files.drop_duplicates("digest").set_index("digest")["signature"]
    signatures = [signature for signature in contents.loc[used] if signature]
    hashes = b"".join(signature[:HASH_BYTES] for signature in signatures)
    return SeenImages(
        np.frombuffer(bytes.fromhex("".join(used)), np.uint8).reshape(-1, _DIGEST_BYTES),
        np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES),
    )


def _words(hashes: Bytes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(hashes).view(np.uint64)


def _nearest(ours: npt.NDArray[np.uint64], seen: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint16]:
    """Return in how many bits each hash differs from the nearest one that was seen."""
    distance = np.zeros((len(ours), len(seen)), np.uint16)
    for word in range(ours.shape[1]):
        distance += np.bitwise_count(ours[:, word, None] ^ seen[None, :, word])
    return np.asarray(distance.min(axis=1))
