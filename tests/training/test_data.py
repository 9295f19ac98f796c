"""From samples to targets: what is drawn, what is known, and in which order photos are shown."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dentify.datasets import Annotation, Sample
from dentify.imaging.masks import polygons_to_rle
from dentify.training.augment import whole_view
from dentify.training.data import IGNORE, MixedBatches, draw_targets, hold_out
from dentify.training.recipe import Recipe, read_recipe

SIZE = 64
HW = (128, 128)
VIEW = whole_view(HW, SIZE)
MIRRORED = np.array([[-0.5, 0, SIZE], [0, 0.5, 0]])


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe(Path(__file__).resolve().parents[2] / "recipes" / "default.yaml")


def box(x_min: float, y_min: float, x_max: float, y_max: float) -> tuple[np.ndarray, ...]:
    return (np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]], np.float64),)


def annotation(
    name: str, corners: tuple[float, float, float, float], *, outlined: bool = True, severity: str | None = None
) -> Annotation:
    return Annotation(name, corners, polygons=box(*corners) if outlined else (), severity=severity)


def sample(*annotations: Annotation, labelled: tuple[str, ...] = (), **labels: bool) -> Sample:
    return Sample(b"", "a.jpg", HW, annotations=annotations, labelled=frozenset(labelled), **labels)


def test_masks_are_drawn_in_the_views_frame(recipe: Recipe) -> None:
    targets = draw_targets(sample(annotation("dent", (32, 64, 64, 96)), labelled=("dent",)), HW, VIEW, SIZE, recipe.classes)
    dent = targets["types"][0].numpy()  # (32, 32), a cell is 4 photo pixels
    assert dent[17:23, 9:15].min() == 255
    assert dent.astype(float).sum() / 255 == pytest.approx(64, rel=0.15)
    mirrored = draw_targets(sample(annotation("dent", (32, 64, 64, 96)), labelled=("dent",)), HW, MIRRORED, SIZE, recipe.classes)
    assert mirrored["types"][0].numpy()[17:23, 17:23].min() == 255


def test_unknown_is_not_absent(recipe: Recipe) -> None:
    targets = draw_targets(
        sample(annotation("dent", (0, 0, 64, 64)), labelled=("dent", "scratch")), HW, VIEW, SIZE, recipe.classes
    )
    assert targets["types_known"].tolist() == [True, True, False, False, False]
    assert not targets["any_known"]
    assert (targets["parts"] == IGNORE).all()


def test_undamaged_photos_know_that_every_type_is_absent(recipe: Recipe) -> None:
    targets = draw_targets(sample(vehicle=True, damage=False), HW, VIEW, SIZE, recipe.classes)
    assert targets["types_known"].all()
    assert targets["any_known"]
    assert (targets["vehicle"], targets["damage"]) == (1.0, 0.0)


def test_a_close_up_is_a_vehicle_where_it_shows_one(recipe: Recipe) -> None:
    def label(photo: Sample, left: float, top: float) -> float:
        """Of a window of a sixteenth of the photo."""
        view = np.array([[2.0, 0, -2 * left], [0, 2.0, -2 * top]])
        return float(draw_targets(photo, HW, view, SIZE, recipe.classes)["vehicle"])

    with_door = sample(annotation("front_left_door", (0, 0, 64, 64)))
    assert label(with_door, 16, 16) == 1.0
    assert math.isnan(label(with_door, 80, 80))
    sound = sample(vehicle=True, damage=False)
    assert label(sound, 48, 60) == 1.0
    assert math.isnan(label(sound, 0, 96))
    assert label(sample(vehicle=False), 48, 60) == 0.0


def test_photos_without_a_vehicle_have_no_parts(recipe: Recipe) -> None:
    targets = draw_targets(sample(vehicle=False), HW, VIEW, SIZE, recipe.classes)
    assert targets["vehicle"] == 0.0
    assert (targets["parts"] == len(recipe.classes.parts)).all()


def test_left_and_right_change_names_in_a_mirrored_view(recipe: Recipe) -> None:
    photo = sample(annotation("left_mirror", (0, 0, 64, 64)), annotation("hood", (64, 64, 128, 128)))
    parts = draw_targets(photo, HW, MIRRORED, SIZE, recipe.classes)["parts"]
    assert parts[2, 12] == recipe.classes.parts.index("right_mirror")
    assert parts[12, 2] == recipe.classes.parts.index("hood")


def test_boxes_without_outlines_are_told_apart(recipe: Recipe) -> None:
    photo = sample(annotation("scratch", (0, 0, 64, 64), outlined=False), labelled=("scratch",))
    targets = draw_targets(photo, HW, VIEW, SIZE, recipe.classes)
    assert targets["box_only"]
    assert targets["types"][1, 8, 8] == 255


def test_offsets_point_at_the_middle(recipe: Recipe) -> None:
    targets = draw_targets(sample(annotation("dent", (32, 32, 96, 96)), labelled=("dent",)), HW, VIEW, SIZE, recipe.classes)
    x, y = targets["offsets"][0].numpy(), targets["offsets"][1].numpy()
    assert math.isnan(x[0, 0])
    assert 16 * x[8, 5] + 5 == pytest.approx(7.5, abs=0.6)
    assert 16 * y[5, 8] + 5 == pytest.approx(7.5, abs=0.6)
    assert targets["centres"][0].argmax() in (7 * 16 + 7, 7 * 16 + 8, 8 * 16 + 7, 8 * 16 + 8)


def test_a_window_that_shows_no_damage_of_a_damaged_car_is_sound(recipe: Recipe) -> None:
    dent = annotation("dent", (100, 100, 120, 120))
    photo, unsearched = sample(dent, labelled=recipe.classes.damage), sample(dent, labelled=("dent", "scratch"))
    away = np.array([[1.0, 0, 0], [0, 1.0, 0]])  # the upper left quarter
    assert draw_targets(photo, HW, away, SIZE, recipe.classes)["damage"] == 0.0
    assert draw_targets(unsearched, HW, away, SIZE, recipe.classes)["damage"].isnan()
    assert draw_targets(photo, HW, VIEW, SIZE, recipe.classes)["damage"] == 1.0


def test_a_mask_of_runs_is_drawn_as_the_same_mask_of_polygons(recipe: Recipe) -> None:
    outline = annotation("scratch", (16, 24, 80, 56))
    runs = replace(outline, polygons=(), rle=polygons_to_rle(outline.polygons, HW))
    view = np.array([[-0.7, 0.1, 70.0], [0.1, 0.6, 3.0]])
    by_outline, by_runs = (
        draw_targets(sample(one, labelled=("scratch",)), HW, view, SIZE, recipe.classes)["types"][1].numpy()
        for one in (outline, runs)
    )
    assert by_outline.max() == 255
    assert np.abs(by_outline.astype(int) - by_runs).mean() < 1.5


def test_thin_outlines_keep_their_width(recipe: Recipe) -> None:
    thin = annotation("scratch", (10, 40, 110, 42))  # one pixel of the view
    drawn = draw_targets(sample(thin, labelled=("scratch",)), HW, VIEW, SIZE, recipe.classes)["types"][1]
    assert drawn.sum() / 255 * 16 == pytest.approx(100 * 2, rel=0.15)  # a cell is 4 × 4 photo pixels


def test_every_instance_has_a_middle_to_hit(recipe: Recipe) -> None:
    for x in range(8, 100, 7):
        dent = annotation("dent", (x, 20, x + 9, 31))
        targets = draw_targets(sample(dent, labelled=("dent",)), HW, VIEW, SIZE, recipe.classes)
        assert (targets["centres"][0] == 255).sum() == 1


def test_a_type_marked_as_a_crowd_is_unknown_on_that_photo(recipe: Recipe) -> None:
    crowd = replace(annotation("scratch", (10, 10, 90, 90)), crowd=True)
    known = draw_targets(sample(crowd, labelled=("dent", "scratch")), HW, VIEW, SIZE, recipe.classes)["types_known"]
    assert known.tolist() == [True, False, False, False, False]


def test_damage_of_a_type_that_is_not_taught_is_damage_all_the_same(recipe: Recipe) -> None:
    crack = sample(annotation("crack", (0, 0, 64, 64)), labelled=(*recipe.classes.damage, "crack"))
    targets = draw_targets(crack, HW, VIEW, SIZE, recipe.classes)
    assert not targets["types"].any()
    assert targets["any_known"]
    assert targets["any"][:15, :15].min() == 255


def test_boxes_teach_no_middles(recipe: Recipe) -> None:
    box_only = sample(annotation("scratch", (10, 10, 90, 90), outlined=False), labelled=("scratch",))
    targets = draw_targets(box_only, HW, VIEW, SIZE, recipe.classes)
    assert targets["box_only"]
    assert targets["offsets"].isnan().all()


def test_the_worst_visible_severity_is_the_photos(recipe: Recipe) -> None:
    photo = sample(
        annotation("dent", (0, 0, 40, 40), severity="minor"), annotation("dent", (60, 60, 120, 120), severity="severe")
    )
    targets = draw_targets(photo, HW, VIEW, SIZE, recipe.classes)
    assert targets["severity"] == 2
    assert targets["severity_maps"][2, 2] == 0
    assert targets["severity_maps"][11, 11] == 2
    assert targets["severity_maps"][15, 0] == IGNORE


def test_held_out_photos_are_always_the_same_and_groups_stay_together() -> None:
    photos = [Sample(b"", f"{number}.jpg", source="s", group=str(number // 3)) for number in range(900)]
    train, held_out = hold_out(photos, 0.1)
    assert 40 < len(held_out) < 150
    assert not {photo.group for photo in train} & {photo.group for photo in held_out}
    assert [photo.name for photo in hold_out(photos[::-1], 0.1)[1]] == [photo.name for photo in held_out[::-1]]


def test_batches_mix_sources_and_a_resumed_run_sees_the_same(recipe: Recipe) -> None:
    sources = [[Sample(b"", f"{source}-{number}") for number in range(7)] for source in range(len(recipe.data.train))]
    batches = MixedBatches(sources, recipe)
    batches.round = 3
    first = list(batches)
    assert first == list(MixedBatches(sources, recipe, first_round=3))
    assert all(len([draw for draw in batch if draw.source == 0]) == recipe.data.train[0].per_batch for batch in first)
    numbers = [draw.number for batch in first for draw in batch]
    assert len(set(numbers)) == len(numbers)
    seen = [draw.photo for batch in first for draw in batch if draw.source == 1]
    assert {seen.count(photo) for photo in range(7)} <= {len(seen) // 7, len(seen) // 7 + 1}


def test_photos_with_rare_types_are_shown_more_often(recipe: Recipe) -> None:
    rare = Sample(b"", "rare.jpg", annotations=(annotation("glass_shatter", (0, 0, 9, 9)),))
    sources = [[rare, *(Sample(b"", f"{number}") for number in range(9))]] + [[Sample(b"", "x")]] * (len(recipe.data.train) - 1)
    batches = MixedBatches(sources, recipe)
    shown = [draw.photo for batch in batches for draw in batch if draw.source == 0]
    times = recipe.data.train[0].repeat["glass_shatter"]
    assert shown.count(0) == pytest.approx(times * shown.count(1), rel=0.05)


def test_the_last_steps_see_more_pixels_and_fewer_mosaics(recipe: Recipe) -> None:
    data = recipe.data.model_copy(update={"size": 64, "final_size": 96, "mosaic": 0.5, "final_mosaic": 0.1})
    schedule = recipe.schedule.model_copy(update={"steps": 20, "round": 10, "decay": 0.25})
    changed = recipe.model_copy(update={"data": data, "schedule": schedule})
    sources = [[Sample(b"", "x")]] * len(data.train)
    shown = [
        {(draw.size, draw.mosaic) for draw in batch}
        for start in (0, 1)
        for batch in MixedBatches(sources, changed, first_round=start)
    ]
    assert shown == [{(64, 0.5)}] * 15 + [{(96, 0.1)}] * 5
