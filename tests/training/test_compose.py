"""Pictures made of several photos, and whether their truth follows."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.datasets import Annotation, Sample
from dentify.training.augment import whole_view
from dentify.training.compose import mosaic, paste, place_on_vehicle
from dentify.training.data import draw_targets
from dentify.training.recipe import Classes

CLASSES = Classes(damage=("dent", "scratch"), parts=("hood",))
HW = (64, 64)


def dent(x: float, y: float, side: float) -> Annotation:
    outline = np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], np.float64)
    return Annotation("dent", (x, y, x + side, y + side), polygons=(outline,))


def tile(*damages: Annotation, grey: int = 100, labelled: tuple[str, ...] = ("dent", "scratch")) -> tuple[np.ndarray, dict]:
    sample = Sample(b"", "a.jpg", HW, annotations=damages, labelled=frozenset(labelled))
    return np.full((*HW, 3), grey, np.uint8), draw_targets(sample, HW, whole_view(HW, 64), 64, CLASSES)


def test_four_tiles_lie_as_they_are_read() -> None:
    picture, targets = mosaic([tile(grey=0), tile(dent(16, 16, 32), grey=80), tile(grey=160), tile(grey=240)])
    assert picture.shape == (128, 128, 3)
    assert [picture[y, x, 0] for y, x in ((32, 32), (32, 96), (96, 32), (96, 96))] == [0, 80, 160, 240]
    assert targets["types"].shape == (2, 64, 64)
    assert targets["types"][0, 9:23, 41:55].min() == 255  # right above
    assert targets["types"].sum() == targets["types"][0, :32, 32:].sum()
    assert targets["damage"].isnan()


def test_middles_are_where_the_offsets_point() -> None:
    _, targets = mosaic([tile(), tile(dent(16, 16, 32)), tile(), tile()])
    x, y = targets["offsets"][0].numpy(), targets["offsets"][1].numpy()
    row, column = np.argwhere(~np.isnan(x))[0]
    assert 32 * x[row, column] + column == pytest.approx(16 + 7.5, abs=0.6)
    assert 32 * y[row, column] + row == pytest.approx(7.5, abs=0.6)


def test_a_type_that_one_tile_does_not_label_is_unknown() -> None:
    _, targets = mosaic([tile(), tile(labelled=("dent",)), tile(), tile()])
    assert targets["types_known"].tolist() == [True, False]


def test_a_damage_is_blended_in_where_its_mask_says() -> None:
    donor = np.full((*HW, 3), 90, np.uint8)
    donor[20:40, 20:40] = 250
    picture = np.full((128, 128, 3), 90, np.uint8)
    rng = np.random.default_rng(0)
    pasted = paste(rng, picture, donor, dent(18, 18, 24), side=24, centre_xy=(80.0, 40.0))
    assert pasted is not None
    changed = np.abs(pasted.picture.astype(int) - picture).max(2) > 20
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((30, 49, 70, 89), abs=3)
    middle = pasted.view[:, :2] @ (30, 30) + pasted.view[:, 2]
    assert middle.tolist() == pytest.approx([80, 40])
    assert (picture == 90).all()


@pytest.mark.parametrize(("side", "centre_xy"), [(24.0, (2.0, 40.0)), (2.0, (64.0, 64.0))], ids=["over the edge", "too small"])
def test_what_does_not_fit_is_not_pasted(side: float, centre_xy: tuple[float, float]) -> None:
    picture = np.zeros((128, 128, 3), np.uint8)
    assert paste(np.random.default_rng(0), picture, picture, dent(18, 18, 24), side=side, centre_xy=centre_xy) is None


def test_places_on_a_vehicle_are_in_the_view_of_the_whole_photo() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = place_on_vehicle(rng, whole_view((100, 200), 64), (100, 200))
        assert 0.2 * 64 <= x <= 0.8 * 64
        assert 0.4 * 64 <= y <= 0.75 * 64
