"""Boxes: worked examples, empty arrays, wrong shapes."""

from __future__ import annotations

import numpy as np
import pytest

from dentify.errors import ShapeError
from dentify.imaging.boxes import xyxy_to_xywh


def test_one_box_many_and_none() -> None:
    assert xyxy_to_xywh((1, 2, 4, 8)).tolist() == [1, 2, 3, 6]
    assert xyxy_to_xywh([[1, 2, 4, 8], [0, 0, 0.5, 1]]).tolist() == [[1, 2, 3, 6], [0, 0, 0.5, 1]]
    assert xyxy_to_xywh(np.zeros((0, 4), np.float32)).shape == (0, 4)


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"^expected boxes of shape \(…, 4\), got \(3,\)$"):
        xyxy_to_xywh([1, 2, 3])
