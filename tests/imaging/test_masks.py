"""RLE equal to pycocotools' byte for byte; scaling from a grid equal to scaling the bitmap."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dentify.assessment import Mask
from dentify.errors import ShapeError
from dentify.imaging.masks import (
    crop_to_rle,
    mask_to_box,
    polygons_to_mask,
    polygons_to_rle,
    rle_area,
    rle_decode,
    rle_encode,
    rle_to_box,
    rle_to_crop,
    rle_to_runs,
    runs_to_rle,
)

coco = pytest.importorskip("pycocotools.mask")

masks = arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.booleans(), fill=st.booleans())


def coco_rle(mask: np.ndarray) -> dict[str, Any]:
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))  # type: ignore[no-any-return]


def scaled(bitmap: np.ndarray, photo_hw: tuple[int, int]) -> np.ndarray:
    """Each pixel takes the cell in which its centre lies."""
    (height, width), (rows, columns) = photo_hw, bitmap.shape
    cell_rows = (2 * np.arange(height) + 1) * rows // (2 * height)
    cell_columns = (2 * np.arange(width) + 1) * columns // (2 * width)
    return bitmap[cell_rows][:, cell_columns]


class TestRle:
    @given(masks)
    @example(np.zeros((3, 4), bool))
    @example(np.ones((3, 4), bool))
    @example(np.ones((1, 1), bool))
    def test_encoding_equals_pycocotools(self, mask: np.ndarray) -> None:
        rle = rle_encode(mask)
        assert rle.counts.encode() == coco_rle(mask)["counts"]
        assert rle.size == mask.shape

    @given(masks)
    def test_decoding_undoes_encoding(self, mask: np.ndarray) -> None:
        np.testing.assert_array_equal(rle_decode(rle_encode(mask)), mask)

    @given(masks)
    def test_area_and_box_equal_the_bitmaps(self, mask: np.ndarray) -> None:
        rle = rle_encode(mask)
        assert rle_area(rle) == mask.sum()
        assert rle_to_box(rle) == mask_to_box(mask)
        x, y, w, h = coco.toBbox(coco_rle(mask))
        assert (rle_to_box(rle) or (0, 0, 0, 0)) == (x, y, x + w, y + h)

    @given(st.lists(st.integers(0, 3 * 10**9), min_size=1, max_size=20))
    def test_runs_of_any_length_survive_the_text(self, runs: list[int]) -> None:
        total = sum(runs)
        if total:
            assert rle_to_runs(runs_to_rle(runs, (1, total))).tolist() == runs

    def test_uncompressed_counts_of_coco_files(self) -> None:
        uncompressed = {"size": [3, 4], "counts": [2, 3, 7]}
        assert runs_to_rle([2, 3, 7], (3, 4)).counts.encode() == coco.frPyObjects(uncompressed, 3, 4)["counts"]

    @pytest.mark.parametrize("counts", ["", "~~~", "0P", "é", "0 0", "T"])
    def test_text_that_is_no_rle(self, counts: str) -> None:
        with pytest.raises(ShapeError):
            rle_decode(Mask(size=(2, 2), counts=counts))

    @given(st.text(max_size=30), st.tuples(st.integers(-5, 50), st.integers(-5, 50)))
    def test_nothing_in_a_text_can_do_harm(self, counts: str, size: tuple[int, int]) -> None:
        try:
            mask = rle_decode(Mask(size=size, counts=counts))
        except ShapeError:
            return
        assert mask.shape == size

    def test_runs_that_do_not_fit_the_size(self) -> None:
        with pytest.raises(ShapeError, match=r"^an RLE of size \(2, 3\) needs runs that sum to 6, got 4$"):
            rle_decode(Mask(size=(2, 3), counts="22"))


class TestGrid:
    @given(st.data())
    def test_a_crop_scaled_on_its_runs_equals_the_scaled_bitmap(self, data: st.DataObject) -> None:
        """Photos finer than the grid, coarser, and of another shape; crops anywhere, empty ones too."""
        rows, columns = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
        photo_hw = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
        top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
        shape = data.draw(st.tuples(st.integers(0, rows - top), st.integers(0, columns - left)))
        crop = data.draw(arrays(bool, shape))
        grid = np.zeros((rows, columns), bool)
        grid[top : top + shape[0], left : left + shape[1]] = crop
        rle = crop_to_rle(crop, (left, top), (rows, columns), photo_hw)
        assert rle == rle_encode(scaled(grid, photo_hw))
        assert rle.counts.encode() == coco_rle(scaled(grid, photo_hw))["counts"]

    @given(masks)
    def test_at_the_grids_own_size_it_is_plain_encoding(self, mask: np.ndarray) -> None:
        assert crop_to_rle(mask, (0, 0), mask.shape, mask.shape) == rle_encode(mask)  # type: ignore[arg-type]

    def test_a_crop_beside_the_grid_is_refused(self) -> None:
        with pytest.raises(
            ShapeError, match=r"^a crop of shape \(3, 4\) at column 7, row 0 does not lie on a grid of \(10, 10\)"
        ):
            crop_to_rle(np.ones((3, 4), bool), (7, 0), (10, 10), (100, 100))

    def test_no_bitmap_of_a_photo_of_12_megapixels_is_made(self) -> None:
        """It would be 12 MB, and take over a hundred milliseconds in place of two."""
        y, x = np.mgrid[:200, :300]
        crop = np.hypot((y - 100) / 100, (x - 150) / 150) + 0.2 * np.sin(x / 9) * np.cos(y / 7) < 0.8
        tracemalloc.start()
        try:
            crop_to_rle(crop, (40, 20), (256, 400), (3000, 4000))
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most_bytes < 4_000_000

    @given(st.data())
    def test_a_crop_of_an_rle_equals_the_crop_of_its_bitmap(self, data: st.DataObject) -> None:
        mask = data.draw(masks)
        height, width = mask.shape
        top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
        crop_hw = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
        crop = rle_to_crop(rle_encode(mask), (left, top, right, bottom), crop_hw)
        np.testing.assert_array_equal(crop, scaled(mask[top:bottom, left:right], crop_hw))

    def test_beside_the_photo_there_is_no_mask(self) -> None:
        crop = rle_to_crop(rle_encode(np.ones((2, 2), bool)), (-1, -1, 3, 3), (4, 4))
        assert crop.astype(int).tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


class TestPolygons:
    @given(
        st.tuples(st.integers(1, 30), st.integers(1, 30)),
        st.lists(st.lists(st.tuples(st.floats(-20, 50), st.floats(-20, 50)), min_size=3, max_size=8), min_size=1, max_size=3),
    )
    def test_polygons_equal_pycocotools(self, size: tuple[int, int], polygons: list[list[tuple[float, float]]]) -> None:
        """Whole and fractional points, outside the photo, crossing themselves, several at once."""
        flat = [[value for point in polygon for value in point] for polygon in polygons]
        expected = coco.merge(coco.frPyObjects(flat, *size))
        assert polygons_to_rle(flat, size).counts.encode() == expected["counts"]

    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=3, max_size=8))
    def test_polygons_of_whole_pixels_equal_pycocotools(self, points: list[tuple[int, int]]) -> None:
        flat = [float(value) for point in points for value in point]
        expected = coco.merge(coco.frPyObjects([flat], 30, 30))
        mask = polygons_to_mask([np.array(points)], (30, 30))
        assert rle_encode(mask).counts.encode() == expected["counts"]

    def test_no_polygon_is_an_empty_mask(self) -> None:
        assert not polygons_to_mask([], (4, 5)).any()
        assert polygons_to_mask([], (4, 5)).shape == (4, 5)

    @pytest.mark.parametrize("polygon", [[1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], []])
    def test_too_few_points_or_half_a_point(self, polygon: list[float]) -> None:
        with pytest.raises(ShapeError, match=f"three or more, got {len(polygon)} numbers"):
            polygons_to_rle([polygon], (10, 10))

    @pytest.mark.parametrize("far", [1e9, float("nan"), float("inf")])
    def test_points_at_no_place_near_a_photo(self, far: float) -> None:
        with pytest.raises(ShapeError, match="must lie within 100000 pixels"):
            polygons_to_rle([[0, 0, far, 0, 5, 5]], (10, 10))
