"""From maps to instances: grouping, thinning out, refining."""

from __future__ import annotations

import numpy as np
import pytest
from dentify.runtime.maps import (
    choose,
    connected_components,
    find_candidates,
    find_damage,
    find_parts,
    score_candidates,
    spread,
    thin_out,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dentify.bundle.manifest import FEATURES, Grouping, Scorer

PLAIN = Grouping(levels=(0.5,), radii=(0,), min_cells=1)


def logits_of(*masks: np.ndarray) -> np.ndarray:
    """Maps that are sure of what is drawn."""
    return np.stack([np.where(mask, 4.0, -4.0) for mask in masks]).astype(np.float32)


def blank(height: int = 16, width: int = 16) -> np.ndarray:
    return np.zeros((height, width), bool)


def test_nothing_above_any_level_is_no_finding() -> None:
    found = find_damage(logits_of(blank()), {}, PLAIN, (100, 200))
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)


def test_a_region_becomes_one_instance_with_its_box_in_photo_pixels() -> None:
    dent = blank()
    dent[4:8, 2:10] = True
    found = find_damage(logits_of(blank(), dent), {}, PLAIN, (160, 320))
    assert found.class_ids.tolist() == [1]
    assert found.boxes_xyxy.tolist() == [[40, 40, 200, 80]]  # cells are 20 × 10 pixels
    assert found.on_grid(0).sum() == dent.sum()


def test_regions_within_twice_the_radius_are_also_tried_as_one() -> None:
    scratches = blank()
    scratches[4, 2:5] = scratches[4, 8:12] = True
    candidates = list(find_candidates(1 / (1 + np.exp(-logits_of(scratches))), {}, Grouping(levels=(0.5,), radii=(0, 2))))
    assert sorted(int(candidate.mask.sum()) for candidate in candidates) == [3, 4, 7]


def test_votes_split_a_region_that_touches_another() -> None:
    both = blank(16, 32)
    both[4:12, 2:30] = True
    centres = np.full((1, 16, 32), -6.0, np.float32)
    centres[0, 8, 8] = centres[0, 8, 24] = 3.0
    grid_y, grid_x = np.mgrid[0:16, 0:32]
    target_x = np.where(grid_x < 16, 8, 24)
    offsets = np.stack([(target_x - grid_x) / 32, (8 - grid_y) / 16]).astype(np.float32)
    candidates = list(find_candidates(1 / (1 + np.exp(-logits_of(both))), {"centres": centres, "offsets": offsets}, PLAIN))
    sizes = sorted(int(candidate.mask.sum()) for candidate in candidates)
    assert sizes == [8 * 14, 8 * 14, 8 * 28]


def test_of_overlapping_candidates_the_likeliest_stays() -> None:
    scratches = blank()
    scratches[4, 2:5] = scratches[4, 8:12] = True
    candidates = list(find_candidates(1 / (1 + np.exp(-logits_of(scratches))), {}, Grouping(levels=(0.5,), radii=(0, 2))))
    whole = max(range(3), key=lambda index: int(candidates[index].mask.sum()))
    prefers_whole = np.array([0.9 if index == whole else 0.5 for index in range(3)], np.float32)
    assert thin_out(candidates, prefers_whole, 0.5) == [whole]
    prefers_pieces = np.array([0.2 if index == whole else 0.5 for index in range(3)], np.float32)
    assert whole not in thin_out(candidates, prefers_pieces, 0.5)


def test_what_was_cut_tightly_spreads_to_all_that_connects_above_the_level() -> None:
    probs = np.full((1, 8, 24), 0.1, np.float32)
    probs[0, 2:6, 2:12] = 0.6
    probs[0, 3:5, 4:8] = 0.9
    probs[0, 2:6, 16:20] = 0.6  # does not connect
    tight = next(find_candidates(probs, {}, Grouping(levels=(0.8,))))
    (wide,) = spread([tight], np.float32([0.7]), probs, 0.5)
    assert (wide.x, wide.y, wide.mask.shape, wide.cells) == (2, 2, (4, 10), 40)
    assert wide.level == 0.5
    assert spread([tight], np.float32([0.7]), probs, 0.8) == [tight]


def two_peaks() -> np.ndarray:
    probs = np.full((1, 8, 24), 0.1, np.float32)
    probs[0, 2:6, 2:22] = 0.6
    probs[0, 3:5, 4:8] = probs[0, 3:5, 16:20] = 0.9
    return probs


def test_between_two_likely_neighbours_each_cell_goes_to_the_nearer() -> None:
    left, right = find_candidates(two_peaks(), {}, Grouping(levels=(0.8,)))
    found = spread([left, right], np.float32([0.7, 0.6]), two_peaks(), 0.5)
    assert [(each.x, each.mask.shape[1], each.cells) for each in found] == [(2, 10, 40), (12, 10, 40)]


def test_a_neighbour_that_does_not_connect_takes_nothing() -> None:
    probs = two_peaks()
    probs[0, :, 15] = 0.1  # between them, nearer to the right one
    left, right = find_candidates(probs, {}, Grouping(levels=(0.8,)))
    found = spread([left, right], np.float32([0.7, 0.6]), probs, 0.5)
    assert [(each.x, each.mask.shape[1], each.cells) for each in found] == [(2, 13, 52), (16, 6, 24)]


def test_an_unlikely_neighbour_gives_way() -> None:
    left, right = find_candidates(two_peaks(), {}, Grouping(levels=(0.8,)))
    told = choose([left, right], np.float32([0.7, 0.2]), two_peaks(), Grouping(levels=(0.8,), spread_to=0.5))
    assert [(score, each.cells) for score, each in told] == [(pytest.approx(0.7), 80)]


def test_finer_masks_follow_the_interpolated_map_and_stay_with_their_region() -> None:
    two = blank(8, 8)
    two[1:4, 1:4] = two[5:7, 5:7] = True
    found = find_damage(logits_of(two), {}, PLAIN.model_copy(update={"upscale": 4}), (64, 64))
    assert len(found) == 2
    assert found.grid_hw == (32, 32)
    for index, cells in ((0, 9), (1, 4)):
        assert found.on_grid(index).sum() == pytest.approx(16 * cells, rel=0.35)
    assert not (found.on_grid(0) & found.on_grid(1)).any()


def test_a_scorer_is_a_plain_network_over_the_features() -> None:
    width = len(FEATURES) + 1
    row = [0.0] * width
    row[FEATURES.index("mean")] = 1.0
    scorer = Scorer(features=FEATURES, mean=(0.0,) * width, std=(1.0,) * width, weights=((tuple(row),),), biases=((0.0,),))
    dent = blank()
    dent[4:8, 2:10] = True
    candidates = list(find_candidates(1 / (1 + np.exp(-logits_of(dent))), {}, PLAIN))
    mean = candidates[0].features[FEATURES.index("mean")]
    assert score_candidates(candidates, scorer, 1)[0] == pytest.approx(1 / (1 + np.exp(-mean)), abs=1e-6)


def test_connected_components_are_the_alternative_to_beat() -> None:
    scratches = blank()
    scratches[4, 2:5] = scratches[4, 8:12] = True
    assert len(connected_components(logits_of(scratches), 0.5, (16, 16))) == 2
    assert len(connected_components(np.full((2, 8, 8), -4.0, np.float32), 0.5, (16, 16))) == 0


def test_each_part_is_one_instance_without_specks() -> None:
    hood, bumper = blank(), blank()
    hood[0:8], bumper[10:14, 3:9] = True, True
    hood[15, 15] = True
    logits = logits_of(hood, bumper, ~(hood | bumper))
    found = find_parts(logits, PLAIN, (16, 16))
    assert sorted(found.class_ids.tolist()) == [0, 1]
    by_class = {int(class_id): found.on_grid(index) for index, class_id in enumerate(found.class_ids)}
    assert by_class[0].sum() == 8 * 16
    assert by_class[1].sum() == 4 * 6


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
