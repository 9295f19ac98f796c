"""Label Studio's run lengths for brush masks: the RGBA bytes of a picture, packed bit by bit; what is opaque is the mask.

    32 bits   how many values there are: 4 × width × height
     5 bits   bits of a value, less 1 (7: bytes)
    4 × 4     how many bits, less 1, each of the four kinds of run takes for its length
    then, until all values are told:
     1 bit    whether one value is repeated, or all are listed
     2 bits   which of the four kinds of run it is
     n bits   its length, less 1
              the value, or the values

Source: `RLE` of thi.ng/umbrella's `rle-pack`, which Label Studio uses.
"""

from __future__ import annotations

import numpy as np

from dentify.arrays import BoolArray, IntArray
from dentify.errors import ShapeError

_LENGTH_BITS = (3, 4, 8, 16)


def unpack_rle(packed: bytes, mask_hw: tuple[int, int]) -> tuple[IntArray, IntArray]:
    """Where each stretch of the mask begins and ends in Label Studio's bytes, counted in pixels along the rows; in order.

    Raises:
        ShapeError: the bytes end early, or are of a picture of another size.
    """
    height, width = mask_hw
    bits = "".join(f"{byte:08b}" for byte in packed)
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        if at > len(bits):
            raise ShapeError(f"Label Studio's RLE ends early, after {len(packed)} bytes")
        return int(bits[at - count : at], 2)

    values = take(32)
    if values != 4 * height * width:
        raise ShapeError(f"Label Studio's RLE is of {values} values, {width} × {height} pixels have {4 * height * width}")
    word = take(5) + 1
    lengths = [take(4) + 1 for _ in range(4)]
    pieces: list[IntArray] = []  # of pixels: where something begins, and where it ends
    done = 0
    while done < values:
        repeated, kind = take(1), take(2)
        count = min(take(lengths[kind]) + 1, values - done)
        if repeated:
            if take(word) > 0:
                pieces.append(np.array([[_pixel(done), _pixel(done + count)]], np.int64))
        else:
            if at + word * count > len(bits):
                raise ShapeError(f"Label Studio's RLE ends early, after {len(packed)} bytes")
            listed = np.frombuffer(bits[at : at + word * count].encode(), np.uint8) == ord("1")
            shown = done + np.flatnonzero(listed.reshape(count, word).any(axis=1))
            pixels = shown[shown % 4 == 3] // 4
            pieces.append(np.stack([pixels, pixels + 1], axis=1))
            at += word * count
        done += count
    starts, ends = np.concatenate([np.zeros((0, 2), np.int64), *pieces]).T
    filled = ends > starts
    return starts[filled], ends[filled]


def _pixel(value: int) -> int:
    """The first pixel whose fourth value, which is its opacity, is this one or comes behind it."""
    return value // 4


def pack_rle(mask: BoolArray) -> list[int]:
    """A `(h, w)` mask as Label Studio's bytes.

    >>> unpack_rle(bytes(pack_rle(np.array([[False, True]]))), (1, 2))
    (array([1]), array([2]))
    """
    flat = mask.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], changes])
    runs = np.diff(np.append(starts, flat.size)) * 4
    pieces = [f"{4 * flat.size:032b}", f"{7:05b}", *(f"{bits - 1:04b}" for bits in _LENGTH_BITS)]
    for start, run in zip(starts.tolist(), runs.tolist(), strict=True):
        value = 255 if flat[start] else 0
        while run > 0:
            kind = next((kind for kind, bits in enumerate(_LENGTH_BITS) if run <= 1 << bits), len(_LENGTH_BITS) - 1)
            count = min(run, 1 << _LENGTH_BITS[kind])
            pieces.append(f"1{kind:02b}{count - 1:0{_LENGTH_BITS[kind]}b}{value:08b}")
            run -= count
    bits = "".join(pieces)
    return np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0")).tolist()
