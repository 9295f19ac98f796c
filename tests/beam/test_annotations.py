"""Annotations follow their photo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dentify.beam.annotations import category_names, place_annotations, place_mask, sample_to_rows
from dentify.beam.prepare import Placement, Recipe, place
from dentify.datasets.sample import Annotation, Sample
from dentify.imaging.masks import rle_area, rle_decode, rle_encode
from dentify.imaging.polygons import polygon_area
from dentify.runtime.preprocess import resize

FITS = st.sampled_from(["letterbox", "stretch"])


@given(
    st.tuples(st.integers(20, 300), st.integers(20, 300)),
    st.tuples(st.integers(16, 200), st.integers(16, 200)),
    FITS,
    st.data(),
)
def test_a_painted_box_lies_where_its_annotation_says(
    photo_hw: tuple[int, int], size_wh: tuple[int, int], fit: str, data: st.DataObject
) -> None:
    """The test that matters: pixels and coordinates go separate ways and must meet."""
    height, width = photo_hw
    x, y = data.draw(st.integers(0, width - 10)), data.draw(st.integers(0, height - 10))
    w, h = data.draw(st.integers(10, width - x)), data.draw(st.integers(10, height - y))
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + h, x : x + w] = 255
    placement = place(photo_hw, Recipe(size_wh, fit))  # type: ignore[arg-type]
    picture = resize(image, placement.content_hw)[..., 0] > 127
    assume(picture.any())

    polygon = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], float)
    mask = np.zeros(photo_hw, np.bool_)
    mask[y : y + h, x : x + w] = True
    box = (float(x), float(y), float(x + w), float(y + h))
    sample = Sample(
        b"", "a", annotations=(Annotation("dent", box, polygons=(polygon,)), Annotation("dent", box, rle=rle_encode(mask)))
    )
    drawn, masked = place_annotations(sample_to_rows(sample)[1], placement)

    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    left, top, wide, high = drawn["bbox"]
    edges = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    # A pixel by rounding; and an enlarged edge is blurred over a pixel of the photo, so a threshold finds it half of one away.
    blur = 1.01 + 0.5 * np.maximum(placement.scale_xy * 2, 1)
    assert (np.abs(np.array([left, top, left + wide, top + high]) - edges) <= blur).all()
    assert drawn["bbox"] == masked["bbox"]
    xy = np.reshape(drawn["segmentation"][0], (-1, 2))
    assert (*xy.min(axis=0), *(xy.max(axis=0) - xy.min(axis=0))) == pytest.approx(tuple(drawn["bbox"]), abs=0.002)
    assert drawn["area"] == pytest.approx(drawn["bbox"][2] * drawn["bbox"][3], rel=0.01, abs=0.01)
    assert masked["segmentation"]["size"] == [size_wh[1], size_wh[0]]


@given(
    st.tuples(st.integers(16, 120), st.integers(16, 120)),
    st.tuples(st.integers(16, 120), st.integers(16, 120)),
    FITS,
    st.integers(0, 2**32 - 1),
    st.floats(0.001, 0.9),
)
def test_a_mask_takes_what_lies_at_the_centre_of_each_pixel(
    photo_hw: tuple[int, int], size_wh: tuple[int, int], fit: str, seed: int, share: float
) -> None:
    mask = np.random.default_rng(seed).random(photo_hw) < share
    assume(mask.any())
    placement = place(photo_hw, Recipe(size_wh, fit))  # type: ignore[arg-type]
    placed = rle_decode(place_mask(rle_encode(mask), placement))
    height, width = placement.content_hw
    centre_y = (np.arange(height) + 0.5) / height * photo_hw[0]
    centre_x = (np.arange(width) + 0.5) / width * photo_hw[1]
    expected = mask[centre_y.astype(int)][:, centre_x.astype(int)]
    # a centre that falls between two pixels may take either
    plain = (np.abs(centre_y - np.rint(centre_y)) > 1e-6)[:, None] & (np.abs(centre_x - np.rint(centre_x)) > 1e-6)
    assert placed.any()
    if expected.any():
        assert np.array_equal(placed[:height, :width][plain], expected[plain])
    assert not placed[height:].any()
    assert not placed[:, width:].any()


def test_a_mask_too_thin_for_the_picture_does_not_vanish() -> None:
    mask = np.zeros((1000, 1000), np.bool_)
    mask[1:900, 3] = True  # a scratch, one pixel wide
    placed = place_mask(rle_encode(mask), Placement((1000, 1000), (100, 100), (100, 100)))
    assert rle_area(placed) == 90
    assert np.flatnonzero(rle_decode(placed).any(axis=0)).tolist() == [0]


def test_a_tiny_polygon_keeps_its_area() -> None:
    speck = Annotation("dent", (5.0, 5.0, 5.001, 5.001), polygons=(np.array([[5, 5], [5.001, 5], [5.001, 5.001]]),))
    (row,) = place_annotations(sample_to_rows(Sample(b"", "a", annotations=(speck,)))[1], place((4000, 4000), Recipe()))
    assert polygon_area(np.reshape(row["segmentation"][0], (-1, 2))) > 0
    assert row["bbox"][2] > 0


def test_every_key_of_an_annotation_is_kept() -> None:
    marks = {"check": True, "unsure": True, "loose": True, "other_car": True}
    one = Annotation("dent", (0, 0, 8, 8), severity="severe", original="cizik", crowd=True, score=0.5, **marks)
    known = {"vehicle": True, "severity": "minor", "view": "front_left"}
    sample = Sample(b"", "a", annotations=(one,), labelled=frozenset({"scratch"}), labels=("02-moderate",), **known)
    facts, rows = sample_to_rows(sample)
    assert facts["labelled"] == ["dent", "scratch"]  # what is annotated is labelled
    assert facts["labels"] == ["02-moderate"]
    assert {key: facts[key] for key in known} == known
    (row,) = place_annotations(rows, place((64, 64), Recipe()))
    expected = {"severity": "severe", "original": "cizik", "iscrowd": 1, "score": 0.5, "bbox": [0, 0, 64, 64]} | marks
    assert {key: row[key] for key in expected} == expected


def test_categories_stand_in_the_taxonomys_order() -> None:
    assert category_names([{"labelled": ["zebra", "hood"]}, {"labelled": ["scratch", "dent"]}]) == [
        "dent",
        "scratch",
        "hood",
        "zebra",
    ]
