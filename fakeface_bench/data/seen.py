"""What a model has seen: the images it was trained and chosen on, which no test of it may hold.

And what its own study tested, so that these images are known for what they are.

It travels with the model as digests and perceptual hashes, from which no picture can be restored.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.data.facts import HASH_BYTES, ROWS, near_rows
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.support.errors import ModelError, shortened

SEEN_FILE = "seen.npz"
#: Hashes that differ in at most this many of 256 bits are taken for one picture. Where the search
#: among the images of a dataset goes on to 44 it asks the colours too, which are not kept here.
#: benchmarks/generalise.py measures how near pictures of unlike faces come.
SIMILAR_BITS = 32
_DIGEST_BYTES = 32

Bytes = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SeenImages:
    """The contents of training and validation images, and of the study's own test split."""

    digests: Bytes  # SHA-256 of each image of training and validation, shape (n, 32)
    hashes: Bytes  # perceptual hash of each of them that shows anything, shape (m, 32), m ≤ n
    tested: Bytes  # SHA-256 of each image of the test split, shape (k, 32)

    def __len__(self) -> int:
        return len(self.digests)

    @classmethod
    def none(cls) -> "SeenImages":
        """Return what a model has seen of which nobody knows it."""
        widths = (_DIGEST_BYTES, HASH_BYTES, _DIGEST_BYTES)
        return cls(*(np.empty((0, width), np.uint8) for width in widths))

    def write(self, file: Path) -> None:
        """Write a file that `read` reads."""
        np.savez_compressed(file, digests=self.digests, hashes=self.hashes, tested=self.tested)

    @classmethod
    def read(cls, file: Path) -> "SeenImages":
        """Read what `write` wrote; nothing in it is run."""
        try:
            with np.load(file, allow_pickle=False) as arrays:
                seen = cls(arrays["digests"], arrays["hashes"], arrays["tested"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise ModelError(
                f"the model is damaged: {file.name} cannot be read: {shortened(error)}"
            ) from error
        for name, values, width in (
            ("digests", seen.digests, _DIGEST_BYTES),
            ("hashes", seen.hashes, HASH_BYTES),
            ("tested", seen.tested, _DIGEST_BYTES),
        ):
            if values.dtype != np.uint8 or values.shape[1:] != (width,):
                raise ModelError(f"the model is damaged: {name} in {file.name} have another form")
        return seen

    def identical(self, digests: pd.Series) -> BoolArray:
        """Return which contents were seen, by their SHA-256 as hexadecimal text."""
        return digests.isin(_as_text(self.digests)).to_numpy(bool)

    def share_tested(self, digests: Collection[str]) -> tuple[bool, bool]:
        """Return whether contents are all of the study's own test split, and whether a part."""
        tested, given = _as_text(self.tested), set(digests)
        return given == tested, bool(given) and given < tested

    def similar(self, signatures: pd.Series) -> BoolArray:
        """Return which pictures look like one that was seen, or like its mirror image.

        Args:
            signatures: As `data.facts` makes them; empty for pictures that show nothing.
        """
        found = np.zeros(len(signatures), bool)
        shown = np.flatnonzero(signatures.str.len() > 0)
        if not len(shown) or not len(self.hashes):
            return found
        packed = np.frombuffer(b"".join(signatures.iloc[shown]), np.uint8).reshape(len(shown), -1)
        both = [_words(packed[:, start : start + HASH_BYTES]) for start in (0, HASH_BYTES)]
        seen = _words(self.hashes)
        for start in range(0, len(shown), ROWS):
            for words in both:
                for rows, _ in near_rows(words[start : start + ROWS], seen, SIMILAR_BITS):
                    found[shown[start + rows]] = True
        return found


def seen_images(files: pd.DataFrame, index: ImageIndex) -> SeenImages:
    """Return what a study shows its models."""
    is_test = index.frame["split"] == "test"
    digests = index.frame["digest"]
    return _of_digests(files, digests[~is_test], digests[is_test])


def seen_in(files: pd.DataFrame) -> SeenImages:
    """Return what who trains on a dataset shows a model: all but its official test split.

    Args:
        files: All that a survey found, whatever could be read of it.
    """
    readable = files[files["digest"].str.len() == 2 * _DIGEST_BYTES]
    is_test = readable["split"] == "test"
    return _of_digests(readable, readable["digest"][~is_test], readable["digest"][is_test])


def _of_digests(files: pd.DataFrame, used: pd.Series, tested: pd.Series) -> SeenImages:
    used = used.drop_duplicates()
    contents = files.drop_duplicates("digest").set_index("digest")["signature"]
    signatures = [signature for signature in contents.loc[used] if signature]
    hashes = b"".join(signature[:HASH_BYTES] for signature in signatures)
    return SeenImages(
        _as_bytes(used),
        np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES),
        _as_bytes(tested.drop_duplicates()),
    )


def _as_bytes(digests: pd.Series) -> Bytes:
    return np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, _DIGEST_BYTES)


def _as_text(digests: Bytes) -> set[str]:
    return {row.tobytes().hex() for row in digests}


def _words(hashes: Bytes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(hashes).view(np.uint64)
