"""Paths of SVG: where the finding is, and nothing but numbers."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from answers import answer, finding
from dentify.assessment import Photo
from dentify.imaging.masks import rle_decode, rle_encode
from dentify.results.outlines import SIDE, finding_path, size_in_units


def drawn(path: str, size_wh: tuple[int, int]) -> np.ndarray:
    """The pixels within a path of `M` and `l`."""
    canvas = np.zeros(size_wh[::-1], np.uint8)
    outlines = []
    for piece in re.findall(r"M([^z]*)z", path):
        start, _, steps = piece.partition("l")
        points = np.array([[int(value) for value in start.split()], *np.array(steps.split(), int).reshape(-1, 2)])
        outlines.append(points.cumsum(axis=0).astype(np.int32))
    cv2.fillPoly(canvas, outlines, 1)
    return canvas


def test_a_path_encloses_its_mask_and_leaves_its_holes_out() -> None:
    mask = np.zeros((100, 200), bool)
    mask[20:80, 40:140] = True
    mask[40:60, 70:110] = False
    one = finding(mask=rle_encode(mask), box=(40, 20, 140, 80))
    path = finding_path(one, answer(findings=(one,)))
    assert path.count("M") == 2
    truth = cv2.resize(rle_decode(one.mask).astype(np.uint8), (1000, 500), interpolation=cv2.INTER_NEAREST)
    inside = drawn(path, (1000, 500))
    assert (truth & inside).sum() / (truth | inside).sum() > 0.97


def test_a_finding_without_a_mask_is_its_box() -> None:
    one = finding(mask=None)
    assert finding_path(one, answer(findings=(one,))) == "M300 150H500V250H300z"


def test_a_mask_without_pixels_is_its_box() -> None:
    one = finding(mask=rle_encode(np.zeros((100, 200), bool)))
    assert finding_path(one, answer(findings=(one,))).startswith("M300 150H500")


def test_what_is_small_gets_a_ring() -> None:
    one = finding(box=(60, 30, 63, 32))
    assert re.fullmatch(r"M\d+ \d+a24 24 0 1 0 \d+ 0a24 24 0 1 0 -\d+ 0z", finding_path(one, answer(findings=(one,))))


@pytest.mark.parametrize("size", [(4000, 3000), (1, 1), (5, 9000), (9000, 5)])
def test_any_photo_has_a_size_in_units(size: tuple[int, int]) -> None:
    photo = Photo(name="a", sha256="", width=size[0], height=size[1], captured_at=None)
    units = size_in_units(answer(photo=photo))
    assert max(units) == SIDE
    assert min(units) >= 1


def test_a_path_goes_to_the_photos_edge() -> None:
    one = finding(mask=rle_encode(np.ones((100, 200), bool)), box=(0, 0, 200, 100), area_share=1.0)
    inside = drawn(finding_path(one, answer(findings=(one,))), (1000, 500))
    assert inside.mean() > 0.98
