"""Candidates beside the truth: one frame, mirrored or not; who is right; whose scorer judges whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dentify.bundle.manifest import Scorer
from dentify.datasets import Annotation, Sample
from dentify.fitting.evidence import FOLDS, Evidence, cross_match, gather, gather_found, ious_of, match, right_ones, silenced
from dentify.fitting.scorer import fit_scorer
from dentify.fitting.squeezed import pack, squeeze
from dentify.imaging.views import mirrored_view, whole_view
from dentify.runtime.instances import Instances
from dentify.runtime.probabilities import sigmoid
from placed_instances import instances
from seen_dents import GROUPING, NAMES, SIZE, box, evidence, logits_of, matched


def test_candidates_are_compared_with_annotations_in_the_same_frame() -> None:
    both = evidence(seen=[(8, 8), (40, 40)], annotated=[(8, 8)])
    assert sorted(both.ious.max(1).round(1).tolist()) == [0.0, pytest.approx(0.9, abs=0.11)]
    assert both.truth[0].sum() == 16 * 16
    assert not both.truth[1].any()


def test_a_mirrored_photo_is_compared_with_mirrored_annotations() -> None:
    sample = Sample(b"", "a.jpg", (SIZE, SIZE), annotations=(box("dent", 4, 8),), labelled=frozenset(NAMES))
    mirrored = logits_of([(4, 8)])[:, :, ::-1].copy()

    def ious(how: str) -> list[float]:
        def view(hw: tuple[int, int]) -> np.ndarray:
            whole = whole_view((SIZE, SIZE), hw)
            return mirrored_view(whole, hw[1]) if how == "mirrored" else whole

        return gather(sample, mirrored, {}, view, NAMES, GROUPING).ious.ravel().tolist()

    assert ious("mirrored") == [pytest.approx(0.9, abs=0.11)]
    assert ious("as it is") == [0.0]


def test_the_grid_need_not_be_square() -> None:
    """A photo of 128 × 64 in a letterbox: 32 columns and 16 rows of cells are left of the square."""
    wide = Sample(b"", "a.jpg", (64, 128), annotations=(box("dent", 96, 32, 16, 16),), labelled=frozenset(NAMES))
    types = np.full((2, 16, 32), -4.0, np.float32)
    types[0, 8:12, 24:28] = 4.0
    found = gather(wide, types, {}, lambda hw: whole_view((64, 128), hw), NAMES, GROUPING)
    assert found.truth.shape == (2, 32, 64)
    assert found.ious.max() > 0.7


def test_only_types_that_the_source_labels_are_gathered() -> None:
    sample = Sample(b"", "a.jpg", (SIZE, SIZE), labelled=frozenset({"scratch"}))
    gathered = gather(sample, np.full((2, 32, 32), 4.0, np.float32), {}, lambda hw: whole_view((SIZE, SIZE), hw), NAMES, GROUPING)
    assert set(gathered.candidates.class_ids.tolist()) == {1}
    assert gathered.known.tolist() == [False, True]


def test_boxes_without_outlines_and_types_never_taught_are_no_truth() -> None:
    damages = (Annotation("dent", (0, 0, 16, 16)), box("hail_mark", 8, 8))
    sample = Sample(b"", "a.jpg", (SIZE, SIZE), annotations=damages, labelled=frozenset(NAMES))
    assert not gather(sample, logits_of([]), {}, lambda hw: whole_view((SIZE, SIZE), hw), NAMES, GROUPING).types.size


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(replace(box("dent", 40, 40), unsure=True), id="unsure"),
        pytest.param(replace(box("scratch", 40, 40), other_car=True), id="of another vehicle"),
        pytest.param(box("damage", 40, 40), id="of a type that nobody told"),
        pytest.param(replace(box("dent", 40, 40), crowd=True), id="of many"),
    ],
)
def test_candidates_in_regions_to_be_ignored_are_neither_right_nor_wrong(region: Annotation) -> None:
    def gathered(*annotations: Annotation) -> Evidence:
        sample = Sample(b"", "a.jpg", (SIZE, SIZE), annotations=annotations, labelled=frozenset({*NAMES, "damage"}))
        seen = logits_of([(8, 8), (40, 40)])
        return gather(sample, seen, {}, lambda hw: whole_view((SIZE, SIZE), hw), NAMES, GROUPING)

    plain, kept = gathered(box("dent", 8, 8)), gathered(box("dent", 8, 8), region)
    assert (len(plain.candidates), len(kept.candidates)) == (2, 1)
    assert kept.ious.max() > 0.7
    assert kept.types.tolist() == [0]
    assert len(gathered(box("dent", 40, 40), region).candidates) == 2  # what fits an annotation stays, wherever it lies


def test_no_more_candidates_are_gathered_than_are_looked_at_in_a_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dentify.fitting.evidence.MOST_CANDIDATES", 1)
    sample = Sample(b"", "a.jpg", (SIZE, SIZE), labelled=frozenset(NAMES))
    seen = logits_of([(8, 8), (40, 40)])
    assert len(gather(sample, seen, {}, lambda hw: whole_view((SIZE, SIZE), hw), NAMES, GROUPING).candidates) == 1


def found_dents(*seen: tuple[float, int, tuple[int, int]]) -> Instances:
    """Score, class and corner of things of 16 × 16 pixels, on a grid of two to a cell."""
    on_grid = instances(*((score, class_id, (x // 2, y // 2, 8, 8)) for score, class_id, (x, y) in seen), grid_hw=(32, 32))
    return replace(on_grid, photo_hw=(SIZE, SIZE), boxes_xyxy=on_grid.boxes_xyxy / 5)


def told_of(found: Instances, *annotations: Annotation, labelled: Sequence[str] = NAMES, mirrored: bool = False) -> Evidence:
    def view(hw: tuple[int, int]) -> np.ndarray:
        whole = whole_view((SIZE, SIZE), hw)
        return mirrored_view(whole, hw[1]) if mirrored else whole

    sample = Sample(b"", "a.jpg", (SIZE, SIZE), annotations=annotations, labelled=frozenset(labelled))
    return gather_found(sample, found, view, NAMES)


def test_things_that_were_found_are_findings_on_their_own_grid() -> None:
    """Nothing is scored or chosen any more: they come as they are, a second one of an annotation is wrong."""
    photo = told_of(found_dents((0.9, 0, (8, 8)), (0.7, 0, (8, 8)), (0.2, 0, (40, 40))), box("dent", 8, 8))
    told = match(photo, GROUPING, None)
    assert photo.grid_hw == (32, 32)
    assert told.scores.tolist() == np.float32([0.9, 0.7, 0.2]).tolist()
    assert told.right.tolist() == [True, False, False]
    assert [(one.x, one.y, one.mask.shape) for one in told.findings.unpacked()] == [(4, 4, (8, 8))] * 2 + [(20, 20, (8, 8))]


def test_things_found_in_a_mirrored_photo_are_compared_with_mirrored_annotations() -> None:
    found = found_dents((0.9, 0, (44, 8)))
    right = [match(told_of(found, box("dent", 4, 8), mirrored=each), GROUPING, None).right for each in (True, False)]
    assert [one.tolist() for one in right] == [[True], [False]]


def test_things_that_nobody_could_tell_wrong_are_left_out_with_their_scores() -> None:
    found = found_dents((0.9, 1, (0, 0)), (0.8, 0, (40, 40)), (0.7, 0, (8, 8)))
    photo = told_of(found, box("dent", 8, 8), replace(box("dent", 40, 40), unsure=True), labelled=("dent",))
    assert photo.scores is not None
    assert photo.scores.tolist() == [np.float32(0.7)]
    assert (len(photo.candidates), photo.ious.shape) == (1, (1, 1))


def test_nothing_found_is_no_finding_and_the_truth_is_missed() -> None:
    photo = told_of(found_dents(), box("dent", 8, 8))
    assert (match(photo, GROUPING, None).scores.shape, photo.types.tolist()) == ((0,), [0])


def test_what_is_left_out_of_the_maps_is_never_missed() -> None:
    """Choosing and refining from the whole maps gives the same findings as from what was kept of them."""
    rng = np.random.default_rng(0)
    types = rng.normal(-2, 2, (2, 32, 32)).astype(np.float32)
    sample = Sample(b"", "a.jpg", (SIZE, SIZE), annotations=(box("dent", 8, 8),), labelled=frozenset(NAMES))
    grouping = GROUPING.model_copy(update={"levels": (0.3, 0.6), "spread_to": 0.4})
    kept = gather(sample, types, {}, lambda hw: whole_view((SIZE, SIZE), hw), NAMES, grouping)
    assert (kept.probs.array() == 0).any()
    whole = match(replace(kept, probs=squeeze(sigmoid(types))), grouping, None)
    small = match(kept, grouping, None)
    for one, other in zip(whole.findings.unpacked(), small.findings.unpacked(), strict=True):
        assert (one.x, one.y, one.mask.tolist()) == (other.x, other.y, other.mask.tolist())
    ious = [
        ious_of(each.findings.unpacked(), kept.instances.array(), kept.types, probs, grouping.upscale)
        for each, probs in ((whole, sigmoid(types)), (small, kept.probs.array()))
    ]
    assert (ious[0] == ious[1]).all()


def test_one_annotation_makes_one_finding_right_and_the_rest_wrong() -> None:
    assert sorted(matched(seen=[(8, 8), (40, 40)], annotated=[(8, 8)]).right.tolist()) == [False, True]


def test_the_better_finding_takes_the_annotation() -> None:
    """Two halves of one dent would both fit it; the best of all comes first."""
    assert right_ones(np.float32([[0.5], [0.5]])).tolist() == [True, False]
    assert right_ones(np.float32([[0.6, 0.9], [0.0, 0.8], [0.7, 0.0]])).tolist() == [True, False, True]


def test_right_begins_at_an_iou_of_a_half() -> None:
    assert right_ones(np.float32([[0.49]])).tolist() == [False]
    assert right_ones(np.float32([[0.5]])).tolist() == [True]
    assert right_ones(np.zeros((2, 0), np.float32)).tolist() == [False, False]


def test_findings_come_best_first() -> None:
    found = evidence(seen=[(2, 2), (24, 24), (44, 44)], annotated=[(24, 24)])
    found.candidates.features[:, 3] = [0.5, 0.9, 0.7]  # their mean probability, which scores without a scorer
    assert match(found, GROUPING, None).scores.tolist() == pytest.approx([0.9, 0.7, 0.5])
    assert match(found, GROUPING, None).right.tolist() == [True, False, False]


def test_a_finding_is_judged_as_it_is_told() -> None:
    """Cut above 0.9 the candidate is a quarter of the dent; spread to 0.3 it is all of it."""
    photo = evidence(seen=[(8, 8)], annotated=[(8, 8)])
    probs = photo.probs.array().copy()
    probs[0, 4:8, 4:8] = 0.95
    tight = replace(photo.candidates.unpacked()[0], mask=np.ones((4, 4), bool), x=4, y=4, level=0.9)
    photo = replace(photo, candidates=pack([tight]), probs=squeeze(probs))
    assert not match(photo, GROUPING, None).right.any()
    assert match(photo, GROUPING.model_copy(update={"spread_to": 0.3}), None).right.all()


def test_nothing_seen_is_nothing_found() -> None:
    found = matched(annotated=[(8, 8)])
    assert (len(found.findings), found.scores.shape, found.right.shape) == (0, (0,), (0,))


def test_a_silenced_photo_keeps_its_truth() -> None:
    quiet = silenced(matched(seen=[(8, 8)], annotated=[(8, 8)]))
    assert (len(quiet.findings), len(quiet.class_ids), len(quiet.scores), len(quiet.right)) == (0, 0, 0, 0)
    assert quiet.evidence.truth.any()


def test_no_photo_is_scored_by_what_it_taught() -> None:
    photos = [evidence(number, seen=[(8, 8)], annotated=[(8, 8)]) for number in [*range(10)] * 2]  # each seen twice
    taught: list[set[int]] = []

    def fit(some: Sequence[Evidence]) -> Scorer:
        taught.append({photo.photo for photo in some})
        return fit_scorer_of_all

    fit_scorer_of_all = fit_scorer(_mixed(), 2, seed=0)
    assert fit_scorer_of_all is not None
    crossed = cross_match(photos, GROUPING, fit)
    assert crossed is not None
    assert len(taught) == FOLDS
    assert sorted(photo.evidence.photo for photo in crossed) == sorted([*range(10)] * 2)
    for fold, numbers in enumerate(taught):
        assert numbers == {number for number in range(10) if number % FOLDS != fold}


def test_a_fold_without_a_scorer_is_no_crossing() -> None:
    assert cross_match([evidence(0, seen=[(8, 8)])], GROUPING, lambda some: None) is None


def _mixed() -> list[Evidence]:
    right = [evidence(number, seen=[(8, 8)], annotated=[(8, 8)]) for number in range(40)]
    return right + [evidence(number, seen=[(8, 8)]) for number in range(40, 80)]
