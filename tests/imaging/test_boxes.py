"""Boxes: worked examples, empty arrays, and what must hold for any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dentify.errors import ShapeError
from dentify.imaging.boxes import box_iou, clip_boxes, scale_boxes, xywh_to_xyxy, xyxy_to_xywh

EMPTY = np.zeros((0, 4), np.float32)
some_boxes_xywh = arrays(np.float32, st.tuples(st.integers(0, 5), st.just(4)), elements=st.integers(0, 100))


def test_empty_arrays_go_through_everything() -> None:
    for result in (xywh_to_xyxy(EMPTY), xyxy_to_xywh([]), clip_boxes(EMPTY, (10, 10)), scale_boxes(EMPTY, (1, 1), (2, 2))):
        assert result.shape == (0, 4)
        assert result.dtype == np.float32
    assert box_iou(EMPTY, [[0, 0, 1, 1]]).shape == (0, 1)
    assert box_iou([[0, 0, 1, 1]], EMPTY).shape == (1, 0)


@given(some_boxes_xywh)
def test_conversions_undo_each_other(boxes: np.ndarray) -> None:
    np.testing.assert_array_equal(xyxy_to_xywh(xywh_to_xyxy(boxes)), boxes)


@given(some_boxes_xywh)
def test_scaling_there_and_back(boxes: np.ndarray) -> None:
    there = scale_boxes(boxes, (300, 400), (3000, 1000))
    np.testing.assert_allclose(scale_boxes(there, (3000, 1000), (300, 400)), boxes, rtol=1e-5)


@given(some_boxes_xywh, some_boxes_xywh)
def test_iou_is_symmetric_within_0_and_1_and_1_with_itself(a: np.ndarray, b: np.ndarray) -> None:
    a, b = xywh_to_xyxy(a), xywh_to_xyxy(b)
    iou = box_iou(a, b)
    np.testing.assert_allclose(iou, box_iou(b, a).T)
    assert ((iou >= 0) & (iou <= 1)).all()
    areas = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    np.testing.assert_allclose(np.diag(box_iou(a, a)), areas > 0)


def test_iou_equals_pycocotools() -> None:
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 50, (8, 4)), rng.uniform(0, 50, (9, 4))
    np.testing.assert_allclose(box_iou(xywh_to_xyxy(a), xywh_to_xyxy(b)), mask.iou(a, b, [0] * 9), atol=1e-6)


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"^expected boxes of shape \(N, 4\), got \(4,\)$"):
        clip_boxes([1, 2, 3, 4], (10, 10))
