"""Near-duplicates: the same photo re-encoded, resized, mirrored, turned, brightened or cropped by a few percent.

Two steps. A perceptual hash of 63 bits, of the photo, of crops and of tilts of it, compared in all eight orientations, names
candidates in a fraction of a second for some thousand photos. Each candidate is then looked at: two thumbnails, evened out in
light and contrast, are laid over each other at some scales, tilts and all small shifts, and must correlate. What both steps still
take for one are photos of one booth and one view, in which only the car differs.

Source of the hash: signs of the lowest frequencies of the discrete cosine transform, as pHash (Zauner 2010), but around 0 and not
around the median, so that mirroring and turning only flip signs and swap axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import FloatArray, Photo

HASH_DISTANCE = 12
"""Bits of 63 in which the hashes of candidates may differ."""
ENOUGH_SIDE = 160
"""Pixels a side of a photo that its fingerprint is made of."""
CORRELATION = 0.67
"""How much thumbnails of near-duplicates correlate: 3,000 random pairs of damage photos reach 0.48, copies fall to 0.77."""

_PROMISING = 0.3  # a copy, laid over its photo, that may do better under it: larger by what was cut off, or tilted and kept whole
_CROP = 0.05
_TILT = 4.0  # degrees
_CROPS = ((0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 1, 0), (1, 0, 0, 1), (0, 1, 1, 0), (0, 1, 0, 1))  # of top, bottom, left, right
_HASH_SIDE, _FREQUENCIES = 32, 8
_THUMB_SIDE, _EVEN_SIGMA, _EVEN_FLOOR = 48, 4.0, 6.0
_TILTED = tuple((scale, tilt) for scale in (1.0, 1 / (1 - 2 * _CROP)) for tilt in (_TILT, -_TILT))  # scale and degrees
_SCALES = (1.0, 1 / (1 - _CROP), 1 / (1 - 2 * _CROP))
_LAID = tuple((scale, tilt) for scale in _SCALES for tilt in (0.0, _TILT / 2, -_TILT / 2, _TILT, -_TILT))
_SHIFT = 4
_MOST_PAIRS = 2**18  # of hashes, compared at a time: 2 MB, which stay in a core's cache

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What of a photo is compared.

    Attributes:
        sha256: of its file.
        hashes: `(10,)` uint64, of the whole photo, of its crops and of its tilts.
        thumb: `(48, 48)` uint8 grey.
    """

    sha256: str
    hashes: Hashes
    thumb: NDArray[np.uint8]


class Duplicate(NamedTuple):
    """Two photos, by their places in the sequence, that are one; `exact` where their files are the same."""

    first: int
    second: int
    exact: bool


def fingerprint(image: Photo, sha256: str) -> Fingerprint:
    """The fingerprint of a photo.

    Args:
        image: `(h, w, 3)` uint8 RGB, upright; `ENOUGH_SIDE` pixels a side are enough.
        sha256: of its file.
    """
    grey = _shrunk(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), ENOUGH_SIDE)
    cut = round(ENOUGH_SIDE * _CROP)
    hashes = [
        _hash(grey[top * cut : ENOUGH_SIDE - bottom * cut, left * cut : ENOUGH_SIDE - right * cut])
        for top, bottom, left, right in _CROPS
    ]
    hashes += [_hash(_laid(grey, scale, tilt)) for scale, tilt in _TILTED]
    return Fingerprint(sha256, np.array(hashes, np.uint64), _shrunk(grey, _THUMB_SIDE))


def find_duplicates(prints: Sequence[Fingerprint]) -> list[Duplicate]:
    """All pairs of near-duplicates, by their places.

    Time grows with the square of their number: 2,600 photos take a second, 20,000 a minute.
    """
    exact: dict[str, int] = {}
    pairs = []
    for index, one in enumerate(prints):
        if one.sha256 in exact:
            pairs.append(Duplicate(exact[one.sha256], index, exact=True))
        exact.setdefault(one.sha256, index)
    distinct = sorted(exact.values())
    hashes = np.array([prints[index].hashes for index in distinct], np.uint64).reshape(-1, len(_CROPS) + len(_TILTED))
    for a, b in _candidates(hashes):
        first, second = distinct[a], distinct[b]
        if any(_correlate(prints[first].thumb, _turned(prints[second].thumb, way)) for way in _ways(hashes[a], hashes[b])):
            pairs.append(Duplicate(first, second, exact=False))
    return sorted(pairs)


def are_duplicates(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two photos are the same file or near-duplicates."""
    return bool(find_duplicates([one, other]))


def duplicate_groups(count: int, duplicates: Sequence[Duplicate]) -> list[int]:
    """For each of `count` photos the place of the first that it is a duplicate of, directly or over others; else its own.

    >>> duplicate_groups(4, [Duplicate(0, 2, exact=True), Duplicate(2, 3, exact=False)])
    [0, 1, 0, 0]
    """
    parents = list(range(count))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for first, second, _ in duplicates:
        a, b = root(first), root(second)
        parents[max(a, b)] = min(a, b)
    return [root(index) for index in range(count)]


def _shrunk(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _laid(grey: NDArray[np.uint8], scale: float, tilt: float) -> NDArray[np.uint8]:
    """A square picture enlarged and turned by some degrees around its middle; where nothing comes to lie its edge goes on."""
    side = len(grey)
    move = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), tilt, scale)
    return np.asarray(cv2.warpAffine(grey, move, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _hash(grey: NDArray[np.uint8]) -> int:
    """The signs of the lowest 8 × 8 frequencies as bits; the mean brightness, which is positive, is bit 0 and left out."""
    low = cv2.dct(_shrunk(grey, _HASH_SIDE).astype(np.float32))[:_FREQUENCIES, :_FREQUENCIES]
    signs = low > 0
    signs[0, 0] = False
    return int.from_bytes(np.packbits(signs.ravel()).tobytes(), "big")


def _oriented(hashes: Hashes) -> NDArray[np.uint64]:
    """`(8, n)`: hashes of the photos turned each way, which flips signs of odd frequencies and swaps rows with columns.

    The way is a number of three bits: axes swapped, then mirrored across, then down.
    """
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).reshape(-1, _FREQUENCIES, _FREQUENCIES)
    odd = np.arange(_FREQUENCIES) % 2 == 1
    turned = []
    for swapped in (bits, bits.transpose(0, 2, 1)):
        for across in (False, True):
            for down in (False, True):
                flips = (odd[None, :] & across) ^ (odd[:, None] & down)
                flipped = (swapped ^ flips[None]).reshape(-1, 64)
                turned.append(np.packbits(flipped, axis=1).view(">u8").ravel().astype(np.uint64))
    return np.stack(turned)


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Pairs of places, the lower first, whose hashes are near in any orientation, whole photo against whole photo or crop.

    Args:
        hashes: `(n, k)` uint64.
    """
    count = len(hashes)
    if count < 2:
        return
    whole = _oriented(hashes[:, 0])  # (8, n)
    rows_at_once = max(1, _MOST_PAIRS // count)
    for start in range(0, count, rows_at_once):
        block = hashes[start : start + rows_at_once]  # (b, k)
        near = np.zeros((len(block), count), np.bool_)
        for crop in range(block.shape[1]):
            for turned in whole:
                near |= np.bitwise_count(block[:, crop, None] ^ turned[None, :]) <= HASH_DISTANCE
        rows, columns = np.nonzero(near)
        for a, b in zip((rows + start).tolist(), columns.tolist(), strict=True):
            # a crop of `a` may be near `b` and not the other way round, so both ways are seen; each pair is named once
            if a < b or (a > b and not _near(hashes[b], whole[:, a])):
                yield min(a, b), max(a, b)


def _near(hashes: Hashes, turned: Hashes) -> bool:
    return bool((np.bitwise_count(hashes[:, None] ^ turned[None, :]) <= HASH_DISTANCE).any())


def _ways(one: Hashes, other: Hashes) -> list[int]:
    """The ways to turn the second photo in which their hashes are near."""
    back = (0, 1, 2, 3, 4, 6, 5, 7)  # turns each way back; of swapped axes the mirrorings change places
    whole = _oriented(np.array([one[0], other[0]]))  # (8, 2)
    ways = {way for way in range(8) if _near(one, whole[way, 1:])}
    return sorted(ways | {back[way] for way in range(8) if _near(other, whole[way, :1])})


def _turned(thumb: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
    """A thumbnail turned one of eight ways, as `_oriented` numbers them."""
    thumb = thumb.T if way & 4 else thumb
    thumb = thumb[:, ::-1] if way & 2 else thumb
    return np.ascontiguousarray(thumb[::-1] if way & 1 else thumb)


def _correlate(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two thumbnails show the same: either, enlarged and tilted a little, laid over the other with a small shift."""
    likeness = _likeness(one, other)
    return likeness >= CORRELATION or (likeness >= _PROMISING and _likeness(other, one) >= CORRELATION)


def _likeness(laid: NDArray[np.uint8], under: NDArray[np.uint8]) -> float:
    """How much a thumbnail correlates with another where it is laid best."""
    spectrum = np.fft.rfft2(_even(under.astype(np.float32)))
    overlay = np.fft.irfft2(np.conj(spectrum) * _spectra(laid.tobytes()), s=(_THUMB_SIDE, _THUMB_SIDE))
    rows = np.concatenate([overlay[:, -_SHIFT:], overlay[:, : _SHIFT + 1]], axis=1)
    return float(max(rows[:, :, : _SHIFT + 1].max(), rows[:, :, -_SHIFT:].max()))


@lru_cache(maxsize=8)
def _spectra(thumb: bytes) -> NDArray[np.complex128]:
    """The spectra of a thumbnail at each scale and tilt, ready to be laid over another's."""
    grey = np.frombuffer(thumb, np.uint8).reshape(_THUMB_SIDE, _THUMB_SIDE)
    return np.asarray(np.fft.rfft2(np.array([_even(_laid(grey, scale, tilt).astype(np.float32)) for scale, tilt in _LAID])))


def _even(grey: FloatArray) -> FloatArray:
    """A thumbnail without its coarse light and contrast, of mean 0 and length 1."""
    grey = np.ascontiguousarray(grey)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), _EVEN_SIGMA)
    detail = detail / (np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _EVEN_SIGMA)) + _EVEN_FLOOR)
    detail = detail - detail.mean()
    return np.asarray(detail / (np.linalg.norm(detail) + 1e-6), np.float32)
