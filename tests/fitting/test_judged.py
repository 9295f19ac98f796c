"""What members say of one labelled photo, beside the right answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dentify.bundle import Manifest
from dentify.bundle.manifest import INSTANCE_MASK, Member, Roles
from dentify.datasets import Annotation, Sample
from dentify.fitting.judged import CELLS, Judged, judge, judge_found, part_cells
from dentify.runtime.merging import DOUBT
from dentify.runtime.networks import Answers
from dentify.runtime.probabilities import sigmoid, softmax
from dentify.testing import PARTS, TYPES, tiny_manifest
from seen_dents import box

HW = (64, 64)
LABELLED = frozenset(TYPES)
MANIFEST = Manifest.model_validate(tiny_manifest(photo_types=True))
NOTHING = Answers(None, None, None, {}, None, None, None)


def sample(*annotations: Annotation, **known: Any) -> Sample:
    return Sample(b"", "a.jpg", HW, annotations=annotations, **({"labelled": LABELLED} | known))


def said(**answers: Any) -> Answers:
    return replace(NOTHING, **answers)


def judged(role: str, members: list[Answers], labels: Sample, how: Any = "mean", manifest: Manifest = MANIFEST) -> Judged:
    return judge(role, members, manifest, labels, HW, how, np.random.default_rng(0))[0]


def is_empty(one: Judged) -> bool:
    return not len(one.against) and not len(one.right)


@pytest.mark.parametrize(("labels", "answer"), [({"vehicle": True}, True), ({"vehicle": False}, False), ({}, None)])
def test_a_gate_is_asked_where_its_answer_is_known(labels: dict[str, Any], answer: bool | None) -> None:
    both = [said(vehicle=2.0), said(vehicle=-1.0)]
    one, told = judge("vehicle_gate", both, MANIFEST, sample(**labels), HW, "mean", np.random.default_rng(0))
    assert told is answer
    if answer is None:
        assert is_empty(one)
    else:
        yes = sigmoid(np.float32([[2, -1]]))
        np.testing.assert_allclose(one.right, yes if answer else 1 - yes, rtol=1e-6)


def test_the_damage_gate_has_no_answer_without_a_vehicle() -> None:
    assert is_empty(judged("damage_gate", [said(damaged=2.0)], sample(vehicle=False)))
    assert len(judged("damage_gate", [said(damaged=2.0)], sample(box("dent", 8, 8))).right) == 1


def test_types_are_asked_one_by_one_where_they_are_known() -> None:
    logits = np.float32([1, 2, 3])
    one = judged("types", [said(photo_types=logits)], sample(box("dent", 8, 8), labelled=frozenset({"dent", "scratch"})))
    np.testing.assert_allclose(one.right[:, 0], [sigmoid(logits)[0], 1 - sigmoid(logits)[1]], rtol=1e-6)


@pytest.mark.parametrize(("types", "answered"), [(["scratch"], True), (["dent", "scratch"], False), ([], False)])
def test_types_that_exclude_each_other_take_a_photo_of_one(types: list[str], answered: bool) -> None:
    exclusive = MANIFEST.model_copy(
        update={
            "calibration": MANIFEST.calibration.model_copy(update={"types": type(MANIFEST.calibration.types)(exclusive=True)})
        }
    )
    logits = np.float32([1, 2, 3])
    one = judged("types", [said(photo_types=logits)], sample(*(box(name, 8, 8) for name in types)), manifest=exclusive)
    assert is_empty(one) is not answered
    if answered:
        np.testing.assert_allclose(one.right, [[softmax(logits)[1]]], rtol=1e-6)


def damage_maps(*strengths: float) -> list[Answers]:
    """Members that see a dent in the upper left quarter, each so sure."""
    maps = []
    for strength in strengths:
        types = np.full((len(TYPES), 32, 32), -strength, np.float32)
        types[0, :16, :16] = strength
        maps.append(said(types=types))
    return maps


def test_cells_with_damage_and_without_are_asked_for_every_type_that_is_labelled() -> None:
    one = judged("damage", damage_maps(3, -2), sample(box("dent", 0, 0, 32, 32), labelled=frozenset({"dent", "scratch"})))
    assert one.against.shape == (2 * 2 * CELLS, 2, 1)
    right, wrong = one.against[: 2 * CELLS, :, 0], one.against[2 * CELLS :, :, 0]  # dents as seen; scratches nowhere
    assert set(map(tuple, right.tolist())) == {(-3.0, 2.0)}
    assert set(map(tuple, wrong.tolist())) == {(-3.0, 2.0)}


def test_a_vote_is_judged_by_what_it_makes_likely() -> None:
    one = judged("damage", damage_maps(3, -2), sample(box("dent", 0, 0, 32, 32), labelled=frozenset({"dent"})), "vote")
    sure, wrong = (1 + DOUBT / 2) / (1 + DOUBT), DOUBT / 2 / (1 + DOUBT)
    np.testing.assert_allclose(one.right, np.tile([sure, wrong], (2 * CELLS, 1)), rtol=1e-5)


def test_what_nobody_told_is_not_asked() -> None:
    seen = damage_maps(3)
    untyped = sample(box("damage", 0, 0, 64, 48))
    assert len(judged("damage", seen, untyped).against) == CELLS * len(TYPES)  # the lowest quarter alone: no damage there
    assert is_empty(judged("damage", seen, sample(box("dent", 0, 0), labelled=frozenset())))
    assert is_empty(judged("damage", seen, sample(Annotation("dent", (0, 0, 9, 9)))))
    assert is_empty(judged("damage", seen, sample(vehicle=False)))


def test_the_coarser_member_is_judged_on_the_finer_ones_grid() -> None:
    fine, coarse = damage_maps(3, 3)
    assert coarse.types is not None
    coarse = said(types=np.ascontiguousarray(coarse.types[:, ::2, ::2]))
    one = judged("damage", [fine, coarse], sample(box("dent", 0, 0, 32, 32)))
    assert (one.against[:, 0, 0] == -3).all()
    assert (one.against[:, 1, 0] == -3).mean() > 0.9


def test_parts_are_asked_at_cells_of_some_and_of_none() -> None:
    labels = sample(box("hood", 0, 0, 32, 32), labelled=frozenset(PARTS))
    logits = np.zeros((len(PARTS) + 1, 32, 32), np.float32)
    logits[0, :16, :16] = 5
    one = judged("parts", [said(parts=logits), said(parts=-logits)], labels)
    assert one.against.shape == (2 * CELLS, 2, len(PARTS))
    assert one.against[:CELLS, 0].max() == -5
    assert one.against[:CELLS, 1].min() == 5
    assert not one.against[CELLS:].any()
    voted = judged("parts", [said(parts=logits)], labels, "vote")
    assert voted.right[:CELLS].min() == pytest.approx((1 + DOUBT / 4) / (1 + DOUBT))


def test_where_parts_are_not_outlined_is_unknown_and_so_is_what_the_bundle_does_not_name() -> None:
    assert (part_cells(sample(), PARTS, HW, (8, 8)) == -1).all()
    some = part_cells(sample(box("hood", 0, 0, 32, 32), box("roof", 32, 0, 32, 32)), PARTS, HW, (8, 8))
    assert (some[:4, :4] == PARTS.index("hood")).all()
    assert (some[:4, 4:] == -1).all()
    assert (some[4:] == -1).all()  # other parts may be there
    all_known = part_cells(sample(box("hood", 0, 0, 32, 32), labelled=frozenset(PARTS)), PARTS, HW, (8, 8))
    assert (all_known[4:] == len(PARTS)).all()
    unsure = replace(box("hood", 0, 48, 64, 16), unsure=True)
    assert (part_cells(sample(box("hood", 0, 0, 8, 8), unsure, labelled=frozenset(PARTS)), PARTS, HW, (8, 8))[6:] == -1).all()


def test_where_a_part_is_known_by_its_box_alone_nobody_told_which_cells_it_is() -> None:
    boxed, outlined = Annotation("hood", (0, 0, 32, 32)), box("roof", 0, 16, 32, 48)
    cells = part_cells(sample(boxed, outlined, labelled=frozenset(("hood", "roof"))), ("hood", "roof"), HW, (8, 8))
    assert (cells[:2, :4] == -1).all()
    assert (cells[2:, :4] == 1).all()
    assert (cells[:, 4:] == 2).all()


def told_one_by_one(*rows: tuple[tuple[float, ...], int, float], of: str = "damage") -> Answers:
    """Boxes in shares of the photo, their class and score; masks fill them."""
    names = TYPES if of == "damage" else PARTS
    table = np.zeros((len(rows), 4 + len(names) + INSTANCE_MASK**2), np.float32)
    for row, (corners, class_id, score) in enumerate(rows):
        table[row, :4], table[row, 4 + class_id], table[row, 4 + len(names) :] = corners, score, 5
    return said(**{f"{'damage' if of == 'damage' else 'part'}_tables": ((1.0, table),)})


TABLES = MANIFEST.model_copy(
    update={
        "roles": Roles(**{role: (Member(file="tiny.onnx", output="types", kind="instances"),) for role in ("damage", "parts")})
    }
)
UPPER, LOWER = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)


def test_each_thing_that_members_found_is_asked_for_once() -> None:
    """Both see the dent that is there, and one a dent that is not."""
    members = [told_one_by_one((UPPER, 0, 0.9), (LOWER, 0, 0.6)), told_one_by_one((UPPER, 0, 0.4))]
    one = judge_found("damage", members, [TABLES] * 2, sample(box("dent", 0, 0, 32, 32)), HW)
    np.testing.assert_allclose(one.right, [[0.9, 0.4], [1 - 0.6, 1]], rtol=1e-6)


def test_maps_are_asked_for_the_things_that_they_make() -> None:
    members = [*damage_maps(3), told_one_by_one((UPPER, 0, 0.4))]
    one = judge_found("damage", members, [MANIFEST, TABLES], sample(box("dent", 0, 0, 32, 32)), HW)
    np.testing.assert_allclose(one.right, [[sigmoid(np.float32([3]))[0], 0.4]], rtol=1e-5)


def test_things_that_labels_say_nothing_of_are_not_asked_for() -> None:
    members, manifests = [told_one_by_one((UPPER, 0, 0.9), (LOWER, 1, 0.6))] * 2, [TABLES] * 2
    dents_alone = judge_found("damage", members, manifests, sample(box("dent", 0, 0, 32, 32), labelled=frozenset({"dent"})), HW)
    assert len(dents_alone.right) == 1
    for labels in (
        sample(labelled=frozenset()),
        sample(box("damage", 0, 0, 64, 64)),
        sample(Annotation("dent", (0, 0, 9, 9))),
        sample(vehicle=False),
    ):
        assert is_empty(judge_found("damage", members, manifests, labels, HW))


def test_parts_that_members_found_are_asked_for_where_parts_are_outlined() -> None:
    members = [told_one_by_one((UPPER, 0, 0.9), (LOWER, 1, 0.6), of="parts"), told_one_by_one(of="parts")]
    hood = box("hood", 0, 0, 32, 32)
    one = judge_found("parts", members, [TABLES] * 2, sample(hood, labelled=frozenset(PARTS)), HW)
    np.testing.assert_allclose(one.right, [[0.9, 0], [1 - 0.6, 1]], rtol=1e-6)
    unsure = replace(box("roof", 32, 32, 32, 32), unsure=True)
    assert len(judge_found("parts", members, [TABLES] * 2, sample(hood, unsure, labelled=frozenset(PARTS)), HW).right) == 1
    assert is_empty(judge_found("parts", members, [TABLES] * 2, sample(labelled=frozenset(PARTS)), HW))


def test_severity_is_asked_of_damages_by_maps_and_of_the_photo_by_labels() -> None:
    labels = sample(replace(box("dent", 0, 0, 32, 32), severity="severe"))
    maps = np.zeros((3, 32, 32), np.float32)
    maps[2] = 4
    one = judged("severity", [said(severity=maps, photo_severity=np.float32([0, 0, 2]))], labels)
    assert one.against.shape == (CELLS, 1, 2)
    assert (one.against == -4).all()
    np.testing.assert_allclose(one.right, [[softmax(np.float32([0, 0, 2]))[2]]], rtol=1e-6)
    assert is_empty(judged("severity", [said(severity=maps)], sample(box("dent", 0, 0))))
