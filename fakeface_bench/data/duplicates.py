"""Finds images that look the same: re-encoded, resized, retouched in tone, mirrored, drawn again.

Two images look like one picture where the perceptual hashes of 256 bits differ in a few bits, or in
some more and the colours agree as well. Measured by benchmarks/audit.py: JPEG quality down to 30,
scaling, blur, noise, brightness, contrast and a pixel cropped are found. Faces that a generator
drew again come as near; `data.twins` looks at the pairs and tells which are copies.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeface_bench.data.array_store import cached_arrays, content_key
from fakeface_bench.data.facts import (
    HASH_BYTES,
    HASH_SIDE,
    ROWS,
    SIGNATURE_BYTES,
    Numbers,
    Words,
    near_rows,
)
from fakeface_bench.data.twins import TWIN_DETAIL
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.progress import Progress

#: Hashes that differ in at most this many of 256 bits are of one picture, whatever its colours.
SAME_BITS = 20
#: Up to this many they are where the colours correlate by at least `SAME_COLOURS`.
SIMILAR_BITS = 44
SAME_COLOURS = 0.95
#: Up to so many bits and from such colours on, two pictures may show one face drawn again: looked
#: at more closely, they do or do not (`data.twins`).
TWIN_BITS = 60
TWIN_COLOURS = 0.93
#: Hashes that differ by no more need no closer look: no twin came so near.
COPY_BITS = 8
#: Of a picture so many pairs are looked at more closely, in the order of digests.
MOST_LOOKED_AT = 8
#: Raise it with any change here or in `data.twins` that finds other pairs.
SEARCH_VERSION = 2

#: The 64 lowest frequencies are compared first, and the rest only where these differ by few: that
#: spares most of the work. Copies within `SIMILAR_BITS` differ in them by 11 at most, measured.
_LOW_SIDE = 8
_LOW_BITS = 12
#: Of a picture with more close copies further pairs are left out where others connect them.
MOST_PAIRS = 32
#: Pairs whose colours are compared at once, some 25 MB.
_PAIRS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class SimilarPairs:
    """Pairs of images that look the same, and what a closer look says of them."""

    first: Numbers  # row numbers, shape (pairs,)
    second: Numbers  # row numbers, each above its `first`
    distance: npt.NDArray[np.uint16]  # bits in which the hashes differ, of 256
    mirrored: npt.NDArray[np.bool_]
    near: npt.NDArray[np.bool_]  # whether by their looks alone they are one picture
    detail: npt.NDArray[np.float64]  # as `data.twins.detail_correlation`; NaN where not looked at


#: From two row numbers, and whether the second is seen in a mirror, to the pair's `detail`.
Look = Callable[[int, int, bool], float]


def cached_pairs(
    digests: list[str], signatures: npt.NDArray[np.uint8], look: Look, progress: Progress
) -> SimilarPairs:
    """Return the pairs among contents, by signatures (n, `SIGNATURE_BYTES`); searched once."""
    looks = hashlib.sha256(signatures.tobytes()).hexdigest()
    key = content_key({"digests": digests, "signatures": looks, "search": SEARCH_VERSION})

    def make(draft: Path) -> Mapping[str, Any]:
        pairs = looked_at(similar_pairs(signatures, progress), look, progress)
        for name in SimilarPairs.__slots__:
            np.save(draft / f"{name}.npy", getattr(pairs, name))
        return {"images": len(digests)}

    found = cached_arrays(cache_folder("duplicates") / key, make, progress.warn)
    return SimilarPairs(**{name: np.asarray(values) for name, values in found.arrays.items()})


def similar_pairs(signatures: npt.NDArray[np.uint8], progress: Progress) -> SimilarPairs:
    """Compare all images with one another, each once, and each with the others' mirror images."""
    if signatures.shape[1:] != (SIGNATURE_BYTES,):
        raise ValueError(f"signatures of shape {signatures.shape} are not (n, {SIGNATURE_BYTES})")
    search = _Search(
        signatures,
        _words(signatures[:, :HASH_BYTES]),
        _words(signatures[:, HASH_BYTES : 2 * HASH_BYTES]),
    )
    starts = range(0, len(signatures), ROWS)
    found = [np.empty((0, 5), np.int32)]
    with (
        progress.stage("comparing images", len(signatures), "images") as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for start, pairs in zip(starts, pool.map(search.pairs_from, starts), strict=True):
            found.append(pairs)
            advance(min(ROWS, len(signatures) - start))
    first, second, distance, mirrored, near = np.concatenate(found).T
    return SimilarPairs(
        first.astype(np.int64),
        second.astype(np.int64),
        distance.astype(np.uint16),
        mirrored.astype(np.bool_),
        near.astype(np.bool_),
        np.full(len(first), np.nan),
    )


def looked_at(pairs: SimilarPairs, look: Look, progress: Progress) -> SimilarPairs:
    """Look more closely at pairs that differ by more than `COPY_BITS`, some of each first picture.

    Pairs that are not near and show no one face, or were not looked at, are left out.
    """
    open_pairs = np.flatnonzero(pairs.distance > COPY_BITS)
    first = pairs.first[open_pairs]
    _, begins, counts = np.unique(first, return_index=True, return_counts=True)
    place = np.arange(len(first)) - np.repeat(begins, counts)
    chosen = open_pairs[place < MOST_LOOKED_AT]
    detail = pairs.detail.copy()
    if len(chosen):

        def look_at(number: int) -> float:
            first, second = int(pairs.first[number]), int(pairs.second[number])
            return look(first, second, bool(pairs.mirrored[number]))

        with (
            progress.stage("looking at similar pairs", len(chosen), "pairs") as advance,
            ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            for number, found in zip(chosen, pool.map(look_at, chosen), strict=True):
                detail[number] = found
                advance(1)
    kept = pairs.near | (detail >= TWIN_DETAIL)
    values = {name: getattr(pairs, name)[kept] for name in SimilarPairs.__slots__}
    return SimilarPairs(**(values | {"detail": detail[kept]}))


def _words(hashes: npt.NDArray[np.uint8]) -> Words:
    """Return hashes as four words each, the lowest frequencies in the first."""
    bits = np.unpackbits(hashes, axis=1)
    low = np.zeros((HASH_SIDE, HASH_SIDE), bool)
    low[:_LOW_SIDE, :_LOW_SIDE] = True
    order = np.argsort(~low.ravel(), kind="stable")
    return np.ascontiguousarray(np.packbits(bits[:, order], axis=1)).view(np.uint64)


@dataclass(frozen=True, slots=True)
class _Search:
    """What the images are compared by."""

    signatures: npt.NDArray[np.uint8]
    hashes: Words
    mirrors: Words

    def pairs_from(self, start: int) -> Numbers:
        """Return `first, second, distance, mirrored, near` of the pairs of rows from `start` on.

        Each pair comes once, near or upright where it is both; of many near ones, a connected set
        (`_connecting`), of others the first `MOST_PAIRS`.
        """
        found = [np.empty((0, 5), np.int32)]
        for mirrored, compared in ((0, self.hashes), (1, self.mirrors)):
            low = compared[start : start + ROWS, :1]
            for first, second in near_rows(low, self.hashes[start:, :1], _LOW_BITS):
                later = first < second
                found.append(self._same(first[later] + start, second[later] + start, mirrored))
        pairs = np.concatenate(found)
        pairs = pairs[np.lexsort((pairs[:, 3], 1 - pairs[:, 4], pairs[:, 1], pairs[:, 0]))]
        pairs = pairs[np.any(np.diff(pairs[:, :2], axis=0, prepend=-1), axis=1)]
        near = pairs[:, 4] == 1
        chosen = np.concatenate([self._connecting(pairs[near]), _first_of_each(pairs[~near])])
        return np.asarray(chosen[np.lexsort((chosen[:, 1], chosen[:, 0]))])

    def _connecting(self, pairs: Numbers) -> Numbers:
        """Leave out what other pairs connect, of rows with more than `MOST_PAIRS`.

        A pair (i, j) goes where j also pairs with the first partner p of i: i < p < j, so (i, p)
        stays and (p, j) stands among the pairs of p, or is connected there in its turn.
        """
        _, begins, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
        begin = np.repeat(begins, counts)
        excess = np.flatnonzero(np.arange(len(pairs)) - begin >= MOST_PAIRS)
        if not len(excess):
            return pairs
        partner, second = pairs[begin[excess], 1], pairs[excess, 1]
        kept = np.ones(len(pairs), bool)
        for mirrored in (0, 1):
            linked = self._same(partner, second, mirrored)
            linked = linked[linked[:, 4] == 1]
            # Each (partner, second) stands once for each first row: look it up as one number.
            size = len(self.hashes)
            links = linked[:, 0].astype(np.int64) * size + linked[:, 1]
            kept[excess[np.isin(partner.astype(np.int64) * size + second, links)]] = False
        return pairs[kept]

    def _same(self, first: Numbers, second: Numbers, mirrored: int) -> Numbers:
        """Keep those pairs that may show one face; tell which are one picture by their looks."""
        ours = self.mirrors if mirrored else self.hashes
        differ = np.bitwise_count(ours[first] ^ self.hashes[second])
        distance = differ.sum(1, dtype=np.int32)
        close = (distance <= TWIN_BITS) & (differ[:, 0] <= _LOW_BITS)
        columns = (first, second, distance, np.full(len(first), mirrored))
        pairs = np.stack(columns, axis=1).astype(np.int32)[close]
        colours = _colours_agree(pairs, self.signatures)
        distance = pairs[:, 2]
        near = (distance <= SAME_BITS) | ((distance <= SIMILAR_BITS) & (colours >= SAME_COLOURS))
        kept = near | (colours >= TWIN_COLOURS)
        return np.asarray(np.column_stack([pairs, near])[kept].astype(np.int32))


def _first_of_each(pairs: Numbers) -> Numbers:
    """Keep the first `MOST_PAIRS` pairs of each first row."""
    _, begins, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    place = np.arange(len(pairs)) - np.repeat(begins, counts)
    return np.asarray(pairs[place < MOST_PAIRS])


def _colours_agree(pairs: Numbers, signatures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return of each pair the correlation of colours; 1 where the hash alone tells enough."""
    found = np.ones(len(pairs))
    doubtful = np.flatnonzero(pairs[:, 2] > SAME_BITS)
    for start in range(0, len(doubtful), _PAIRS_AT_ONCE):
        chosen = doubtful[start : start + _PAIRS_AT_ONCE]
        first, second, _, mirrored = pairs[chosen].T
        ours, theirs = _colours(signatures[first]), _colours(signatures[second])
        theirs = np.where(mirrored[:, None, None, None] == 1, theirs[:, :, ::-1], theirs)
        found[chosen] = _correlation(ours, theirs)
    return found


def _colours(signatures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    pixels = signatures[:, 2 * HASH_BYTES :].astype(np.float32)
    side = round((pixels.shape[1] / 3) ** 0.5)
    return pixels.reshape(-1, side, side, 3)


def _correlation(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return Pearson's correlation of each pair over all pixels, each channel about its mean."""
    a, b = (x - x.mean(axis=(1, 2), keepdims=True) for x in (a, b))
    product, a_squared, b_squared = ((x * y).sum((1, 2, 3)) for x, y in ((a, b), (a, a), (b, b)))
    return np.asarray(product / np.sqrt(np.maximum(a_squared * b_squared, 1e-12)))
