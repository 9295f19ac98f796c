"""Masks that are told row by row, cut out of their photo."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dentify.datasets.row_runs import box_of, cut_out, stretches_of
from dentify.imaging.masks import mask_to_box


@given(st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda shape: arrays(np.bool_, shape)))
def test_a_mask_is_cut_out_as_it_is(mask: NDArray[np.bool_]) -> None:
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    starts, ends = stretches_of(np.diff(edges, prepend=0, append=flat.size).tolist())
    box = box_of(starts, ends, mask.shape[1])
    whole = mask_to_box(mask)
    if box is None or whole is None:
        assert box == whole
        return
    left, top, right, bottom = box
    assert left <= whole[0]  # a stretch over two rows is taken to touch both edges
    assert right >= whole[2]
    assert (top, bottom) == (whole[1], whole[3])
    np.testing.assert_array_equal(cut_out(starts, ends, mask.shape[1], box), mask[top:bottom, left:right])


def test_a_few_pixels_of_a_large_photo_cost_what_they_are() -> None:
    starts, ends = np.array([50_000_000]), np.array([50_000_003])
    box = box_of(starts, ends, 10_000)
    assert box == (0, 5000, 3, 5001)
    assert cut_out(starts, ends, 10_000, box).tolist() == [[True, True, True]]
