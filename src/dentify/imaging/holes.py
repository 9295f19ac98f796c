"""JPEGs of which parts are missing though they end as they should: their decoder fills up with grey, and says nothing.

Three kinds are told from the bytes: scans that are not there, data that ends before the picture does, and stretches of zeros in
place of data, as failing disks and broken transfers leave them. Source: ITU-T T.81, annexes B, F and G.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from dentify.arrays import Photo
from dentify.imaging.segments import START_OF_SCAN, Segment

_FEWEST_ZEROS = 64  # bytes in a row
_ZEROS = re.compile(rb"\x00{64,}+")
_PROGRESSIVE = (0xC2, 0xC6)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PADDING = b"\x5a" * 4096  # for data that a decoder asks for and that are not there


class _Scan(NamedTuple):
    components: tuple[int, ...]
    first: int  # of the coefficients; 0 is the mean
    last: int
    low_bit: int
    data: bytes
    begin: int  # where the data stand in the file


class _Jpeg(NamedTuple):
    frame: int
    components: tuple[int, ...]
    scans: tuple[_Scan, ...]
    zeros_are_flat: bool  # whether all-zero bits may stand for blocks without detail
    end: int  # where the marker of the end stands


def has_holes(data: bytes, segments: Sequence[Segment], image: Photo, is_same: Callable[[bytes], bool]) -> bool:
    """Whether parts of a JPEG are missing or were overwritten with zeros.

    Args:
        data: the file, whole.
        segments: as `list_segments` has them.
        image: `(h, w, 3)` uint8, its pixels.
        is_same: whether other bytes make the same picture; called only where it ends in a single colour, is progressive (which so
            takes twice as long), or holds long runs of zeros that may be right.
    """
    jpeg = _read(data, segments)
    if jpeg is None or not jpeg.scans:
        return False
    return _lacks_scans(jpeg) or _has_zeros(data, jpeg, is_same) or _ends_early(data, jpeg, image, is_same)


def _lacks_scans(jpeg: _Jpeg) -> bool:
    """Whether a component was never sent, or the first of them not to the last bit of all its coefficients."""
    if any(not scan.data for scan in jpeg.scans):
        return True
    seen = {one for scan in jpeg.scans if scan.first == 0 for one in scan.components}
    if set(jpeg.components) - seen:
        return True
    if jpeg.frame not in _PROGRESSIVE:
        return False
    whole = [False] * 64
    for scan in jpeg.scans:
        if scan.low_bit == 0 and jpeg.components[0] in scan.components:
            whole[scan.first : scan.last + 1] = [True] * (scan.last + 1 - scan.first)
    return not all(whole)


def _has_zeros(data: bytes, jpeg: _Jpeg, is_same: Callable[[bytes], bool]) -> bool:
    """Whether a scan holds zeros that no encoder writes.

    Where codes of zeros alone stand for flat blocks, a plain ground is made of zeros, too. Those in place of other data make so
    many blocks that the picture is full before its data end: then the last of them do not matter.
    """
    if jpeg.frame in _PROGRESSIVE:  # scans of means may be zeros, those of detail count flat blocks instead of listing them
        return any(_longest_zeros(scan.data) > max(4096, len(scan.data) // 8) for scan in jpeg.scans if scan.first)
    if not jpeg.zeros_are_flat:
        return any(_longest_zeros(scan.data) for scan in jpeg.scans)
    if not any(_longest_zeros(scan.data) > max(4096, len(scan.data) // 8) for scan in jpeg.scans):
        return False
    end = jpeg.scans[-1].begin + len(jpeg.scans[-1].data)
    changed = len(jpeg.scans[-1].data) // 16
    return is_same(data[: end - changed] + b"\x5a" * changed + data[end:])


def _longest_zeros(data: bytes) -> int:
    """Of stretches of zeros, in bytes; 0 where none is long enough to count."""
    if bytes(_FEWEST_ZEROS) not in data:
        return 0
    return max(len(zeros[0]) for zeros in _ZEROS.finditer(data))


def _ends_early(data: bytes, jpeg: _Jpeg, image: Photo, is_same: Callable[[bytes], bool]) -> bool:
    """Whether the last scan's data end before the picture: then other data in their place make another picture."""
    if jpeg.frame not in _PROGRESSIVE and not (image[-1] == image[-1, :1]).all():
        return False  # what a decoder fills up with is of one colour; where scans refine each other, it may be anything
    return not is_same(data[: jpeg.end] + _PADDING + data[jpeg.end :])


def _read(data: bytes, segments: Sequence[Segment]) -> _Jpeg | None:
    """The frame and scans of a JPEG; `None` where they cannot be told, as in a lossless or arithmetic one."""
    frame, components, scans, flat, end = 0, tuple[int, ...](), list[_Scan](), {0: True, 1: True}, len(data)
    for (marker, at), following in zip(segments, [*segments[1:], None], strict=False):
        length = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + length]
        if marker in _FRAMES and len(body) >= 6:
            frame, components = marker, tuple(body[6 + 3 * one] for one in range(body[5]) if 6 + 3 * one < len(body))
        elif marker == 0xC4:
            for kind, first in _tables(body):
                flat[kind] = flat[kind] and first == 0
        elif marker == START_OF_SCAN and body:
            count = body[0]
            if len(body) < 4 + 2 * count:
                return None
            scan = data[at + length : following.at - 2 if following else len(data)]
            named = tuple(body[1 + 2 * one] for one in range(count))
            first, last, bits = body[1 + 2 * count], body[2 + 2 * count], body[3 + 2 * count]
            scans.append(_Scan(named, first, min(last, 63), bits & 15, scan, at + length))
        elif marker == 0xD9:
            end = data.rfind(b"\xff", 0, at)
            break
    if frame not in (0xC0, 0xC1, 0xC2):
        return None
    return _Jpeg(frame, components, tuple(scans), flat[0] and flat[1], end)


def _tables(body: bytes) -> Iterator[tuple[int, int]]:
    """Of each Huffman table its kind (0: of means, 1: of the rest) and the symbol of its code of zeros alone."""
    at = 0
    while at + 17 < len(body):
        count = sum(body[at + 1 : at + 17])
        yield min(body[at] >> 4, 1), body[at + 17]
        at += 17 + count
