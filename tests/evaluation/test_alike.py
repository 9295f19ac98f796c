"""Photos made alike."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dentify.datasets import Annotation, Sample, open_dataset
from dentify.errors import DatasetError
from dentify.evaluation import Alike
from dentify.evaluation.alike import made_alike
from dentify.imaging.masks import rle_decode, rle_encode


@pytest.fixture
def sample() -> Sample:
    """A grey photo of 120 × 80 with a red box in it, outlined three ways."""
    image = np.full((80, 120, 3), 90, np.uint8)
    image[20:40, 30:90] = (200, 0, 0)
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG")
    box = (30.0, 20.0, 90.0, 40.0)
    polygon = np.array([[30.0, 20], [90, 20], [90, 40], [30, 40]])
    annotations = (
        Annotation("dent", box, polygons=(polygon,)),
        Annotation("dent", box, rle=rle_encode(image[..., 0] == 200)),
        Annotation("dent", box),
    )
    return Sample(data.getvalue(), "a.png", (80, 120), annotations, frozenset({"dent"}))


def decoded(sample: Sample) -> Image.Image:
    return Image.open(io.BytesIO(sample.read()))


def test_nothing_asked_nothing_done(sample: Sample) -> None:
    assert made_alike(sample, Alike()) is sample


def test_outlines_are_stretched_with_the_picture(sample: Sample) -> None:
    stretched = made_alike(sample, Alike(stretch_wh=(60, 160), jpeg=85))
    picture = decoded(stretched)
    assert (picture.format, picture.size, stretched.size_hw) == ("JPEG", (60, 160), (160, 60))
    expected = np.zeros((160, 60), np.bool_)
    expected[40:80, 15:45] = True
    polygon, rle, box = stretched.annotations
    np.testing.assert_array_equal(polygon.polygons[0], [[15, 40], [45, 40], [45, 80], [15, 80]])
    assert rle.rle is not None
    np.testing.assert_array_equal(rle_decode(rle.rle), expected)
    assert box.box_xyxy == (15.0, 40.0, 45.0, 80.0)
    red = np.asarray(picture.convert("RGB"))[..., 1] < 45
    assert (red ^ expected).mean() < 0.02


def test_compression_alone_keeps_the_size_and_none_keeps_the_pixels(sample: Sample) -> None:
    assert decoded(made_alike(sample, Alike(jpeg=85))).size == (120, 80)
    stretched = made_alike(sample, Alike(stretch_wh=(120, 80)))
    np.testing.assert_array_equal(np.asarray(decoded(stretched)), np.asarray(decoded(sample)))


def test_labels_of_another_size_are_refused(sample: Sample) -> None:
    with pytest.raises(DatasetError, match=r"a\.png: labels are for a photo of 80 × 120, the upright picture is 120 × 80"):
        made_alike(replace(sample, size_hw=(120, 80)), Alike(jpeg=85))


def test_real_photos_go_through(examples: Path) -> None:
    sample = Sample(examples / "car_00.jpg", "car_00.jpg")
    assert decoded(made_alike(sample, Alike(stretch_wh=(320, 320), jpeg=85))).size == (320, 320)


@pytest.mark.shared_data
def test_stretching_keeps_what_share_of_a_photo_is_damaged(shared_data: Path) -> None:
    from dentify.evaluation.outlines import annotation_rle, area

    sample = next(iter(open_dataset(shared_data / "cc0" / "annotations.json")))
    stretched = made_alike(sample, Alike(stretch_wh=(320, 320)))
    assert sample.size_hw is not None
    for before, after in zip(sample.annotations, stretched.annotations, strict=True):
        share = area(annotation_rle(before, sample.size_hw)) / (sample.size_hw[0] * sample.size_hw[1])
        assert area(annotation_rle(after, (320, 320))) / 320**2 == pytest.approx(share, rel=0.15)
