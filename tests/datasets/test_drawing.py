"""Drawings of labelled photos."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from dentify.assessment import Mask
from dentify.datasets import Annotation, Sample
from dentify.datasets.drawing import draw_sample
from dentify.imaging.masks import rle_encode
from dentify.taxonomy import damage_colour, part_colour


def grey(*annotations: Annotation, size_wh: tuple[int, int] = (200, 100)) -> Sample:
    data = io.BytesIO()
    Image.new("RGB", size_wh, (128, 128, 128)).save(data, "PNG")
    return Sample(data.getvalue(), "a.png", size_wh[::-1], annotations)


def is_colour(pixel: Any, colour: tuple[int, int, int]) -> bool:
    """Whether a pixel of an antialiased line has the line's colour, nearly."""
    return bool((np.abs(pixel.astype(int) - colour) < 40).all())


def test_outlines_are_drawn_where_they_are_in_the_colour_of_their_type() -> None:
    square = np.array([[20.0, 20], [60, 20], [60, 60], [20, 60]])
    sample = grey(
        Annotation("dent", (20, 20, 60, 60), (square,)),
        Annotation("hood", (100.0, 20.0, 180.0, 80.0)),
    )
    drawn = draw_sample(sample, side=400)
    assert drawn.shape == (200, 400, 3)
    assert is_colour(drawn[80, 40], damage_colour("dent"))  # the left edge at x 20
    assert is_colour(drawn[100, 200], part_colour("hood"))  # a box's left edge at x 100
    assert tuple(drawn[80, 80]) == (128, 128, 128)  # within
    assert tuple(drawn[10, 10]) == (128, 128, 128)


def test_what_is_to_be_ignored_is_drawn_grey() -> None:
    drawn = draw_sample(grey(Annotation("dent", (20.0, 20.0, 60.0, 60.0), other_car=True)), side=400)
    assert is_colour(drawn[80, 40], (150, 150, 150))


def test_masks_are_tinted_and_their_holes_are_not() -> None:
    mask = np.zeros((100, 200), bool)
    mask[20:80, 20:80] = True
    mask[40:60, 40:60] = False
    drawn = draw_sample(grey(Annotation("dent", (20, 20, 80, 80), rle=rle_encode(mask))), side=200)
    assert tuple(drawn[30, 30]) == tuple(int(0.7 * 128 + 0.3 * value) for value in damage_colour("dent"))
    assert tuple(drawn[50, 50]) == (128, 128, 128)


def test_outlines_of_another_copy_of_the_photo_are_drawn_without_harm() -> None:
    """Labels of a wrong size are a problem that is told; the page is made all the same."""
    far = Annotation("dent", (1, 1, 9e8, 9e8))
    other = Annotation("hood", (0, 0, 2, 2), rle=Mask(size=(2, 2), counts="22"))
    drawn = draw_sample(grey(far, other), side=200)
    assert is_colour(drawn[50, 1], damage_colour("dent"))


def test_tall_and_tiny_photos_have_a_drawing() -> None:
    assert draw_sample(grey(size_wh=(32, 2000)), side=100).shape == (100, 2, 3)
    assert draw_sample(grey(size_wh=(32, 32)), side=100).shape == (100, 100, 3)
