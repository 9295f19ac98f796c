"""From maps of damage to instances on the photo."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dentify.bundle.manifest import Grouping
from dentify.runtime.candidates import Candidate
from dentify.runtime.damage_maps import connected_components, find_damage, refine
from drawn_maps import blank, logits_of


def test_nothing_above_any_level_is_no_finding() -> None:
    found = find_damage(logits_of(blank()), {}, Grouping(), (100, 200))
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)


def test_a_region_becomes_one_instance_with_its_box_in_photo_pixels() -> None:
    dent = blank()
    dent[4:8, 2:10] = True
    found = find_damage(logits_of(blank(), dent), {}, Grouping(), (160, 320))
    assert found.class_ids.tolist() == [1]
    assert found.boxes_xyxy.tolist() == [[40, 40, 200, 80]]  # cells are 20 × 10 pixels
    assert found.on_grid(0).sum() == dent.sum()


def test_finer_masks_follow_the_interpolated_map_and_stay_with_their_region() -> None:
    two = blank(8, 8)
    two[1:4, 1:4] = two[5:7, 5:7] = True
    found = find_damage(logits_of(two), {}, Grouping(upscale=4), (64, 64))
    assert len(found) == 2
    assert found.grid_hw == (32, 32)
    for index, cells in ((0, 9), (1, 4)):
        assert found.on_grid(index).sum() == pytest.approx(16 * cells, rel=0.35)
    assert not (found.on_grid(0) & found.on_grid(1)).any()


@pytest.mark.parametrize("turns", range(4))
def test_a_finer_mask_stays_with_its_own_cells_and_their_neighbours(turns: int) -> None:
    """An angle on a map that is damaged all over."""
    angle = blank(6, 6)
    angle[:, 0] = angle[5, :] = True
    angle = np.rot90(angle, turns)
    _, x, y, mask = refine(Candidate(0, angle, 3, 3, 0.5, np.zeros(0, np.float32)), np.full((1, 12, 12), 0.9, np.float32), 2)
    whole, near = blank(24, 24), blank(12, 12)
    whole[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    for cell_y, cell_x in np.argwhere(angle) + 3:
        near[cell_y - 1 : cell_y + 2, cell_x - 1 : cell_x + 2] = True
    assert (whole == np.repeat(np.repeat(near, 2, 0), 2, 1)).all()


def test_findings_spread_as_far_as_the_bundle_says() -> None:
    probs = np.full((1, 8, 16), 0.1)
    probs[0, 2:6, 2:12] = 0.6
    probs[0, 3:5, 4:8] = 0.9
    logits = np.log(probs / (1 - probs)).astype(np.float32)
    tight, wide = (find_damage(logits, {}, Grouping(levels=(0.8,), spread_to=to), (8, 16)) for to in (None, 0.5))
    assert [found.on_grid(0).sum() for found in (tight, wide)] == [2 * 4, 4 * 10]


def test_connected_components_are_the_alternative_to_beat() -> None:
    scratches = blank()
    scratches[4, 2:5] = scratches[4, 8:12] = True
    assert len(connected_components(logits_of(scratches), 0.5, (16, 16))) == 2
    assert len(connected_components(np.full((2, 8, 8), -4.0, np.float32), 0.5, (16, 16))) == 0


@given(
    hnp.arrays(np.float32, (2, 12, 20), elements=st.floats(-6, 6, width=32)),
    st.sampled_from([(12, 20), (480, 640), (31, 17)]),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([None, 0.3, 0.5]),
)
def test_whatever_the_maps_say_findings_lie_on_the_photo(
    maps: np.ndarray, photo_hw: tuple[int, int], upscale: int, spread_to: float | None
) -> None:
    found = find_damage(maps, {}, Grouping(levels=(0.3, 0.6), radii=(0, 1), upscale=upscale, spread_to=spread_to), photo_hw)
    assert ((found.boxes_xyxy >= 0) & (found.boxes_xyxy <= np.array([photo_hw[1], photo_hw[0]] * 2) + 1e-3)).all()
    assert (found.boxes_xyxy[:, 2:] > found.boxes_xyxy[:, :2]).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert found.masks is not None
    assert all(mask.any() for mask in found.masks)


def test_maps_of_noise_take_no_time_out_of_proportion() -> None:
    """Thousands of candidates, each held against each, took minutes; what is likeliest still comes first."""
    logits = np.random.default_rng(0).normal(0, 3, (3, 192, 192)).astype(np.float32)
    started = time.monotonic()
    found = find_damage(logits, {}, Grouping(levels=(0.1, 0.5, 0.9), radii=(0, 1, 2)), (600, 800))
    assert time.monotonic() - started < 10
    assert 0 < len(found.scores) <= 1_000
    assert (np.diff(found.scores) <= 0).all()
