"""Maps of parts and of severity: one class a cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.training import losses
from dentify.training.heads.exclusive import Exclusive, ExclusiveRecipe
from dentify.training.losses import IGNORE
from dentify.visibility import VIEWS
from scenes import CLASSES, MIRRORED, WHOLE, annotation, mosaic, pasted, photo, scene, stacked

HOOD, LEFT, RIGHT, DOOR, NONE = range(5)
MINOR, MODERATE, SEVERE = range(3)


def parts(**changes: Any) -> Exclusive:
    return ExclusiveRecipe(kind="exclusive", of="parts", **changes).build("parts", CLASSES)


def severity(**changes: Any) -> Exclusive:
    return ExclusiveRecipe(kind="exclusive", of="severity", **changes).build("severity_maps", CLASSES)


class TestParts:
    """A cell is 8 pixels of the photo."""

    def test_a_cell_has_the_part_in_its_middle_and_none_elsewhere(self) -> None:
        expected = np.full((16, 16), NONE)
        expected[2:6, 1:9] = HOOD
        classes = parts().truth(scene(photo(annotation("hood", (8, 16, 72, 48)))))["classes"]
        assert np.array_equal(classes, expected)
        nearly = parts().truth(scene(photo(annotation("hood", (8, 16, 74, 48)))))["classes"]
        assert np.array_equal(nearly, expected)
        assert parts(stride=2).truth(scene(photo(annotation("hood", (8, 16, 72, 48)))))["classes"].shape == (32, 32)

    def test_the_smaller_lies_on_the_larger(self) -> None:
        door, mirror = annotation("front_left_door", (0, 0, 128, 128)), annotation("left_mirror", (0, 0, 32, 32))
        for both in ((door, mirror), (mirror, door)):
            classes = parts().truth(scene(photo(*both)))["classes"]
            assert (classes[:4, :4] == LEFT).all()
            assert (classes[4:] == DOOR).all()

    def test_left_and_right_change_names_in_a_mirrored_view(self) -> None:
        car = photo(annotation("left_mirror", (0, 0, 64, 64)), annotation("hood", (64, 64, 128, 128)))
        classes = parts().truth(scene(car, MIRRORED))["classes"]
        assert (classes[2, 12], classes[12, 2], classes[2, 2]) == (RIGHT, HOOD, NONE)
        one = mosaic(car, photo(), photo(), car, views=(WHOLE, WHOLE, WHOLE, MIRRORED))
        classes = parts().truth(one)["classes"]
        assert (classes[2, 2], classes[16 + 2, 16 + 12]) == (LEFT, RIGHT)

    def test_photos_without_outlined_parts_say_nothing(self) -> None:
        assert (parts().truth(scene(photo(annotation("dent", (0, 0, 40, 40)), vehicle=True)))["classes"] == IGNORE).all()

    @pytest.mark.parametrize(
        ("word", "seen", "mirrored"),
        [
            ("front_left", "front_left", "front_right"),
            ("angle-back-on-left", "rear_right", "rear_left"),
            ("rear", "rear", "rear"),
        ],
    )
    def test_a_photo_whose_view_alone_is_known_says_which_side_is_seen(self, word: str, seen: str, mirrored: str) -> None:
        sample = photo(vehicle=True, view=word)
        for view, expected in ((WHOLE, seen), (MIRRORED, mirrored)):
            truth = parts().truth(scene(sample, view))
            assert (truth["view"] == VIEWS.index(expected)).all()
            assert (truth["classes"] == IGNORE).all()

    def test_outlined_parts_say_more_than_the_view_and_a_close_up_nothing(self) -> None:
        outlined = photo(annotation("hood", (0, 0, 64, 64)), view="front")
        for sample in (outlined, photo(vehicle=True, view="close"), photo(vehicle=True), photo(vehicle=False, view="front")):
            assert (parts().truth(scene(sample))["view"] == IGNORE).all()

    def test_what_cannot_be_seen_from_there_is_taught_to_be_absent(self) -> None:
        truth = stacked(parts(), scene(photo(vehicle=True, view="right")))
        told = torch.zeros(1, 5, 16, 16, requires_grad=True)
        parts(loss={"views": 1}).loss(told, truth).backward()
        assert told.grad is not None
        change = -told.grad.sum((0, 2, 3)).sign()
        assert change.tolist() == [0, -1, 1, 0, 0]  # the left mirror is on the other side; the door has no counterpart here

    def test_that_some_part_is_there_says_nothing_of_which(self) -> None:
        """Raised with the others, what is likeliest on all photos would become all of them."""
        whole = stacked(parts(), scene(photo(vehicle=True, view="right")))
        told = torch.randn(1, 5, 16, 16, generator=torch.Generator().manual_seed(0)).sub(9.0).requires_grad_()
        head = parts(loss={"views": 1})
        pairs = head.loss(told, whole | {"filled": torch.tensor([False])})
        (head.loss(told, whole) - pairs).backward()
        assert told.grad is not None
        assert not told.grad[:, :NONE].abs().gt(1e-9).any()

    def test_that_nothing_is_a_part_is_no_way_out(self) -> None:
        """Of a photo whose view alone is known it is not told where the vehicle is; that it is somewhere is."""
        truth = stacked(parts(), scene(photo(vehicle=True, view="right")))
        head = parts(loss={"views": 1})
        none, hood = torch.zeros(1, 5, 16, 16), torch.zeros(1, 5, 16, 16)
        none[:, NONE], hood[:, HOOD] = 9.0, 9.0
        assert head.loss(hood, truth) < 0.01 < 0.9 < head.loss(none, truth)
        elsewhere = hood.clone()
        elsewhere[:, NONE, 4:] = 18.0  # the vehicle covers a quarter
        assert head.loss(elsewhere, truth) < 0.01
        close_up = stacked(parts(), scene(photo(vehicle=True, view="close")))
        assert head.loss(none, close_up) == 0

    def test_damage_lies_on_some_part(self) -> None:
        dent = annotation("dent", (0, 0, 64, 64))
        truth = parts().truth(scene(photo(dent)))
        assert truth["damaged"].sum() == truth["damaged"][:8, :8].sum() == 64
        for other in (
            photo(dent, annotation("hood", (64, 64, 128, 128))),  # whose parts are outlined
            photo(annotation("dent", (0, 0, 64, 64), loose=True)),
            photo(annotation("dent", (0, 0, 64, 64), other_car=True)),
            photo(annotation("dent", (0, 0, 64, 64), outlined=False)),
        ):
            assert not parts().truth(scene(other))["damaged"].any()
        told = torch.zeros(1, 5, 16, 16, requires_grad=True)
        loss = parts(loss={"damaged": 1}).loss(told, stacked(parts(), scene(photo(dent))))
        assert loss.item() == pytest.approx(math.log(5 / 4))
        loss.backward()
        assert told.grad is not None
        assert (told.grad[0, NONE, :8, :8] > 0).all()  # none becomes less likely, and which part it is stays open
        assert not told.grad[0, :NONE].any()
        assert not told.grad[0, :, 8:].any()

    def test_photos_without_a_vehicle_have_no_parts(self) -> None:
        assert (parts().truth(scene(photo(vehicle=False)))["classes"] == NONE).all()

    def test_a_part_that_is_not_taught_is_neither_another_nor_none(self) -> None:
        classes = parts().truth(scene(photo(annotation("roof", (0, 0, 128, 64)))))["classes"]
        assert (classes[:8] == IGNORE).all()
        assert (classes[8:] == NONE).all()

    def test_beyond_the_photos_edges_nothing_is_known(self) -> None:
        looking_past = np.array([[0.5, 0, 32], [0, 0.5, 0]])
        classes = parts().truth(scene(photo(annotation("hood", (-64, 0, 64, 128))), looking_past))["classes"]
        assert (classes[:, :8] == IGNORE).all()
        assert (classes[:, 8:] == HOOD).all()

    def test_a_pasted_damage_leaves_parts_as_they_are(self) -> None:
        donor = photo(annotation("dent", (0, 0, 99, 99)), annotation("hood", (0, 0, 99, 99)))
        assert (parts().truth(pasted(photo(vehicle=True, damage=False), donor, WHOLE))["classes"] == IGNORE).all()

    def test_a_part_known_by_its_box_alone_is_somewhere_in_it(self) -> None:
        door, hood = annotation("front_left_door", (0, 0, 64, 128), outlined=False), annotation("hood", (64, 0, 128, 64))
        classes = parts().truth(scene(photo(door, hood)))["classes"]
        assert (classes[:8, 8:] == HOOD).all()
        assert (classes[:, :8] == IGNORE).all()
        assert (classes[8:] == IGNORE).all(), "the door may be larger than its outline, had it one"
        assert set(parts().shown(photo(door, hood))) == {"hood"}

    def test_what_a_source_does_not_label_may_be_anywhere_else(self) -> None:
        hood = annotation("hood", (64, 0, 128, 64))
        classes = parts().truth(scene(photo(hood, labelled=("hood",))))["classes"]
        assert (classes[:8, 8:] == HOOD).all()
        assert (classes[:, :8] == IGNORE).all()
        mirrors = tuple(name for name in CLASSES.parts if name != "right_mirror")
        for view, labelled in ((WHOLE, mirrors), (MIRRORED, (*mirrors[:1], *CLASSES.parts[2:]))):
            assert (parts().truth(scene(photo(hood, labelled=labelled), view))["classes"] != NONE).all()

    def test_what_a_photo_shows_and_which_channels_tell_it(self) -> None:
        car = photo(*(annotation(name, (0, 0, 9, 9)) for name in ("hood", "roof", "dent")))
        assert set(parts().shown(car)) == {"hood"}
        assert parts().channels(("right_mirror", "hood")) == [HOOD, RIGHT, NONE]
        assert parts().channels(("hood",)) == [HOOD, NONE]
        assert parts().channels(()) == []


class TestSeverity:
    """Where a damage is, its level; elsewhere nobody says."""

    def test_each_damage_has_its_level(self) -> None:
        car = photo(
            annotation("dent", (0, 0, 40, 40), severity="minor"),
            annotation("crack", (64, 64, 120, 120), severity="severe"),
            annotation("dent", (64, 0, 120, 40)),
        )
        expected = np.full((16, 16), IGNORE)
        expected[:5, :5], expected[8:15, 8:15] = MINOR, SEVERE
        assert np.array_equal(severity().truth(scene(car))["classes"], expected)

    @pytest.mark.parametrize("turned", [False, True])
    def test_the_smaller_lies_on_the_larger(self, turned: bool) -> None:
        both = [annotation("dent", (0, 0, 128, 128), severity="minor"), annotation("dent", (0, 0, 32, 32), severity="severe")]
        classes = severity().truth(scene(photo(*(both[::-1] if turned else both))))["classes"]
        assert (classes[:4, :4] == SEVERE).all()
        assert (classes[4:] == MINOR).all()

    def test_a_cell_is_damaged_where_a_quarter_of_it_is(self) -> None:
        thin = photo(annotation("scratch", (0, 0, 128, 2), severity="moderate"))  # a quarter of cells of 8 pixels: not more
        assert (severity().truth(scene(thin))["classes"] == IGNORE).all()
        thicker = photo(annotation("scratch", (0, 0, 128, 4), severity="moderate"))
        assert (severity().truth(scene(thicker))["classes"][0] == MODERATE).all()

    def test_a_pasted_damage_was_shrunk_and_teaches_no_severity(self) -> None:
        donor = photo(annotation("dent", (0, 0, 99, 99), severity="severe"))
        sound = photo(vehicle=True, damage=False)
        assert (severity().truth(pasted(sound, donor, WHOLE))["classes"] == IGNORE).all()

    def test_what_a_photo_shows_and_which_channels_tell_it(self) -> None:
        car = photo(annotation("dent", (0, 0, 9, 9), severity="severe"), annotation("dent", (0, 0, 9, 9)))
        assert set(severity().shown(car)) == {"severe"}
        assert severity().channels(("severe", "minor")) == [MINOR, SEVERE]
        assert severity().channels(("severe",)) == []


def batch() -> dict[str, torch.Tensor]:
    car = photo(annotation("hood", (0, 0, 64, 128)), annotation("roof", (64, 0, 128, 64)))
    return stacked(parts(), scene(car), scene(photo(vehicle=False)), scene(photo()))


def test_the_loss_is_the_weighted_sum_of_the_recipes() -> None:
    truth, told = batch(), torch.randn(3, 5, 16, 16, generator=torch.Generator().manual_seed(0))
    classes = truth["classes"].long()
    hot, known = losses.one_hot(classes, 5)
    probs = told.softmax(1)
    alone = {
        "cross_entropy": losses.cross_entropy(told, classes),
        "focal": losses.focal(told, classes),
        "dice": losses.dice(probs, hot, known),
        "tversky": losses.tversky(probs, hot, known),
        "lovasz": losses.lovasz((hot - probs).abs(), hot, known),
        "boundary": losses.boundary(probs, hot, known),
    }
    for name, value in alone.items():
        torch.testing.assert_close(parts(loss={name: 2}).loss(told, truth), 2 * value)
    torch.testing.assert_close(parts(loss=dict.fromkeys(alone, 1)).loss(told, truth), sum(alone.values()))
    torch.testing.assert_close(parts().loss(told, truth), alone["cross_entropy"] + alone["dice"])


def test_rare_classes_may_weigh_more() -> None:
    car = photo(annotation("dent", (0, 0, 64, 128), severity="minor"), annotation("dent", (64, 0, 96, 128), severity="severe"))
    truth, told = stacked(severity(), scene(car)), torch.zeros(1, 3, 16, 16)
    told[:, 0] = 2.0
    right, wrong = math.log(1 + 2 * math.exp(-2)), math.log(2 + math.exp(2))
    weighted = severity(loss={"cross_entropy": 1}, class_weights=(0.5, 1.5, 4.0)).loss(told, truth)
    assert weighted.item() == pytest.approx((8 * 0.5 * right + 4 * 4.0 * wrong) / (8 * 0.5 + 4 * 4.0), rel=1e-5)
    plain = severity(loss={"cross_entropy": 1}).loss(told, truth)
    assert plain.item() == pytest.approx((8 * right + 4 * wrong) / 12, rel=1e-5)


def test_what_is_unknown_teaches_nothing() -> None:
    told = torch.zeros(3, 5, 16, 16, requires_grad=True)
    truth = batch()
    parts().loss(told, truth).backward()
    assert told.grad is not None
    assert torch.equal(told.grad.any(1), truth["classes"] != IGNORE)


def test_counts_are_of_the_likeliest_class_where_it_is_known() -> None:
    truth = batch()
    told = torch.zeros(3, 5, 16, 16)
    told[:, HOOD, :, :4] = 1.0  # half of the hood, as much on a photo without a vehicle, and on one that nobody labelled
    told[:, RIGHT, :8, 8:] = 1.0  # where a roof is, which is not taught
    told[:, NONE] = 0.5
    counts = parts().counts(told, truth)
    assert counts["both"].tolist() == [64, 0, 0, 0]  # without none of them
    assert counts["either"].tolist() == [128 + 64, 0, 64, 0]
    figures = parts().figures(counts)
    assert (figures["hood"], figures["right_mirror"]) == pytest.approx((1 / 3, 0))
    assert math.isnan(figures["left_mirror"])
    assert figures["mean"] == pytest.approx(1 / 6)


def test_a_part_teaches_its_mirror_image_too() -> None:
    """Half of all views are mirrored: left mirrors alone teach right ones."""
    head = ExclusiveRecipe(kind="exclusive", of="parts").build("parts", CLASSES)
    assert set(head.shown(photo(annotation("left_mirror", (0, 0, 9, 9)), annotation("hood", (0, 9, 9, 18))))) == {
        "left_mirror",
        "right_mirror",
        "hood",
    }
