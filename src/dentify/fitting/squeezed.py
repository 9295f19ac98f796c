"""Masks and maps of a thousand photos at a time: mostly zeros, so they are kept compressed until their photo's turn comes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dentify.arrays import FloatArray, IntArray
from dentify.bundle.manifest import FEATURES
from dentify.runtime.candidates import Candidate


@dataclass(frozen=True)
class Squeezed:
    """An array, compressed without loss.

    >>> squeeze(np.eye(2, dtype=np.float32)).array().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    shape: tuple[int, ...]
    dtype: str
    data: bytes

    def array(self) -> NDArray[Any]:
        """The array as it was, read-only."""
        return np.frombuffer(zlib.decompress(self.data), self.dtype).reshape(self.shape)


def squeeze(array: NDArray[Any]) -> Squeezed:
    """Compress an array."""
    return Squeezed(array.shape, array.dtype.str, zlib.compress(array.tobytes(), 1))


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of one photo, with their masks compressed.

    Attributes:
        class_ids: `(N,)` damage types.
        features: `(N, len(FEATURES))`.
        levels: the probability above which the cells of each lie.
        boxes_xywh: `(N, 4)` cells: corner and size of each mask.
        masks: all masks, one after the other.
    """

    class_ids: IntArray
    features: FloatArray
    levels: tuple[float, ...]
    boxes_xywh: IntArray
    masks: Squeezed

    def __len__(self) -> int:
        return len(self.class_ids)

    def unpacked(self) -> list[Candidate]:
        """One by one, as `runtime` takes them."""
        masks = self.masks.array()
        found, start = [], 0
        for row, (x, y, w, h) in enumerate(self.boxes_xywh.tolist()):
            mask = masks[start : start + w * h].reshape(h, w)
            start += w * h
            found.append(Candidate(int(self.class_ids[row]), mask, x, y, self.levels[row], self.features[row]))
        return found


def pack(candidates: Sequence[Candidate]) -> Candidates:
    """Candidates, made small."""
    boxes = [(one.x, one.y, one.mask.shape[1], one.mask.shape[0]) for one in candidates]
    return Candidates(
        class_ids=np.array([one.class_id for one in candidates], np.int64),
        features=np.array([one.features for one in candidates], np.float32).reshape(len(candidates), len(FEATURES)),
        levels=tuple(one.level for one in candidates),
        boxes_xywh=np.array(boxes, np.int64).reshape(-1, 4),
        masks=squeeze(np.concatenate([np.zeros(0, np.bool_), *(one.mask.ravel() for one in candidates)])),
    )
