"""Things that bitmaps show; shared by the tests of counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dentify.evaluation.outlines import Things
from dentify.imaging.masks import rle_encode


def things_of(names: Sequence[str], masks: NDArray[np.bool_]) -> Things:
    """One thing a bitmap that is not empty."""
    kept = [k for k in range(len(names)) if masks[k].any()]
    height, width = masks.shape[1:]
    return Things(
        names=tuple(names[k] for k in kept),
        boxes_xyxy=np.tile(np.array([0.0, 0.0, width, height]), (len(kept), 1)),
        rles=tuple({"size": [height, width], "counts": rle_encode(masks[k]).counts} for k in kept),
        outlined=np.ones(len(kept), np.bool_),
        scores=np.full(len(kept), 0.5),
        crowd=np.zeros(len(kept), np.bool_),
        severities=(None,) * len(kept),
    )
