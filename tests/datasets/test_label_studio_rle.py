"""Label Studio's run lengths, as its own tools pack them and as they should not be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dentify.datasets.label_studio_rle import pack_rle, unpack_rle
from dentify.errors import ShapeError

bitmaps = st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(lambda shape: arrays(np.bool_, shape))


def unpacked(packed: bytes, hw: tuple[int, int]) -> NDArray[np.bool_]:
    """The whole mask, of which `unpack_rle` tells stretches, and whether those are in order."""
    starts, ends = unpack_rle(packed, hw)
    assert (ends > starts).all()
    assert (starts[1:] >= ends[:-1]).all()
    flat = np.zeros(hw[0] * hw[1], np.bool_)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        flat[start:end] = True
    return flat.reshape(hw)


def packed(*fields: tuple[int, int]) -> bytes:
    """Values and how many bits each takes, filled up with zeros."""
    bits = "".join(f"{value:0{width}b}" for value, width in fields)
    return bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))


HEADER = ((4, 32), (7, 5), (2, 4), (3, 4), (7, 4), (15, 4))  # one pixel, bytes, lengths of 3, 4, 8 and 16 bits


@given(bitmaps)
def test_what_is_packed_is_unpacked(mask: NDArray[np.bool_]) -> None:
    hw = (mask.shape[0], mask.shape[1])
    np.testing.assert_array_equal(unpacked(bytes(pack_rle(mask)), hw), mask)


def test_a_long_run_is_packed_in_pieces() -> None:
    mask = np.ones((200, 300), np.bool_)  # 240,000 values, of which a run takes 65,536
    assert unpacked(bytes(pack_rle(mask)), (200, 300)).all()


def test_the_fourth_of_four_values_is_the_mask() -> None:
    listed = ((0, 1), (0, 2), (3, 3), (0, 8), (0, 8), (0, 8), (200, 8))  # four values one by one: transparent but for alpha
    assert unpacked(packed(*HEADER, *listed), (1, 1)).tolist() == [[True]]
    listed = ((0, 1), (0, 2), (3, 3), (255, 8), (255, 8), (255, 8), (0, 8))
    assert unpacked(packed(*HEADER, *listed), (1, 1)).tolist() == [[False]]


def test_the_sizes_of_words_and_lengths_are_those_of_the_header() -> None:
    one_bit = ((8, 32), (0, 5), (0, 4), (0, 4), (0, 4), (2, 4))  # words of a bit; the fourth kind of length takes three
    runs = ((1, 1), (3, 2), (3, 3), (0, 1), (1, 1), (3, 2), (3, 3), (1, 1))
    assert unpacked(packed(*one_bit, *runs), (1, 2)).tolist() == [[False, True]]


WRONG = {
    "nothing": (b"", "ends early, after 0 bytes"),
    "a header alone": (packed(*HEADER), "ends early"),
    "of another photo": (bytes(pack_rle(np.ones((3, 3), np.bool_))), "of 36 values, 1 × 1 pixels have 4"),
    "listed values that are missing": (packed(*HEADER, (0, 1), (3, 2), (65_535, 16)), "ends early"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG.keys())
def test_bytes_that_do_not_hold_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        unpack_rle(data, (1, 1))


@given(bitmaps, st.data())
def test_cut_off_bytes_are_refused(mask: NDArray[np.bool_], data: st.DataObject) -> None:
    whole = bytes(pack_rle(mask))
    cut = whole[: data.draw(st.integers(0, len(whole) - 2))]
    with pytest.raises(ShapeError, match="ends early"):
        unpack_rle(cut, (mask.shape[0], mask.shape[1]))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_mask_or_refused(data: bytes) -> None:
    try:
        mask = unpacked(packed(*HEADER) + data, (1, 1))
    except ShapeError:
        return
    assert mask.shape == (1, 1)
