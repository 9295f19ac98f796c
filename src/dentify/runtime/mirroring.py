"""What a network says of a mirrored photo, as if it had seen the photo as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dentify.arrays import FloatArray
from dentify.taxonomy import mirrored_part


def unmirrored(maps: FloatArray) -> FloatArray:
    """Maps `(C, h, w)` of a mirrored photo, turned back."""
    return np.ascontiguousarray(maps[:, :, ::-1])


def unmirrored_parts(maps: FloatArray, names: Sequence[str]) -> FloatArray:
    """Maps `(P + 1, h, w)` of parts, the last of none: turned back, and left is right again.

    Args:
        maps: of a mirrored photo.
        names: of the P parts, each part's counterpart among them.
    """
    order = [names.index(mirrored_part(name)) for name in names]
    return unmirrored(maps[[*order, len(names)]])


def unmirrored_offsets(maps: FloatArray) -> FloatArray:
    """Maps `(2C, h, w)` of what each cell points at, x before y, turned back."""
    turned = unmirrored(maps)
    turned[::2] *= -1
    return turned
