"""Masks as bitmaps in a frame."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dentify.evaluation.bitmaps import bitmap, bitmap_of, frame_of
from dentify.imaging.masks import rle_encode


def rle_of(mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> dict[str, object]:
    return {"size": list(mask.shape), "counts": rle_encode(mask).counts}


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_frame_keeps_the_photos_shape_and_is_no_larger_than_it_or_the_limit(height: int, width: int) -> None:
    h, w = frame_of((height, width), most_pixels=10_000)
    if height * width <= 10_000:
        assert (h, w) == (height, width)
    else:
        assert h <= height
        assert w <= width
        assert h * w <= 10_000 * 1.02 + max(height, width)  # sides are whole pixels, one at least
        assert abs(h / height - w / width) <= 0.5 / height + 0.5 / width or 1 in (h, w)


@given(st.integers(0, 2**32 - 1))
def test_a_bitmap_is_the_mask_and_in_a_smaller_frame_its_pixels_at_the_centres(seed: int) -> None:
    mask = np.random.default_rng(seed).random((12, 15)) < 0.4
    np.testing.assert_array_equal(bitmap(rle_of(mask), (12, 15)), mask)
    np.testing.assert_array_equal(bitmap(rle_of(mask), (4, 5)), mask[1::3, 1::3])


def test_several_masks_are_one_bitmap() -> None:
    one, other = np.zeros((2, 4, 4), np.bool_)
    one[0], other[2:, 1] = True, True
    np.testing.assert_array_equal(bitmap_of([rle_of(one), rle_of(other)], (4, 4)), one | other)
    assert not bitmap_of([], (4, 4)).any()
