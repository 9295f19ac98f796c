"""AP equals pycocotools' on random photos, and the resampled AP equals hotcoco's on the photos drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dentify.evaluation.average_precision import (
    CARDD_AREAS,
    IOU_THRESHOLDS,
    AveragePrecision,
    IouType,
    match_photo,
    resampled_precision,
)
from dentify.evaluation.outlines import Things, area, xyxy_to_xywh

NAMES = ("dent", "scratch", "glass_shatter")
SIZE_HW = (500, 420)
Photos = list[tuple[Things, Things]]
Make = Callable[..., Things]


def random_ellipse(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Sizes on both sides of 128² and 256² pixels."""
    radius = np.exp(rng.uniform(np.log(8), np.log(230), 2))
    centre = rng.uniform((40, 40), (SIZE_HW[0] - 40, SIZE_HW[1] - 40))
    y, x = np.ogrid[: SIZE_HW[0], : SIZE_HW[1]]
    return ((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 <= 1


@pytest.fixture(scope="module")
def photos() -> Photos:
    """Findings and annotations of 16 photos: some right, some shifted, some of another type, some of nothing; crowds too."""
    rng = np.random.default_rng(3)
    made: Photos = []
    for _ in range(16):
        truth = [(str(rng.choice(NAMES)), 1.0, random_ellipse(rng), rng.random() < 0.1) for _ in range(rng.integers(0, 6))]
        found: list[tuple[Any, ...]] = []
        for name, _, mask, _ in truth:
            for _ in range(rng.integers(0, 3)):
                shifted = np.roll(mask, tuple(rng.integers(-12, 13, 2)), (0, 1))
                found.append((name if rng.random() < 0.8 else str(rng.choice(NAMES)), np.round(rng.random(), 1), shifted))
        found += [(str(rng.choice(NAMES)), rng.random(), random_ellipse(rng)) for _ in range(rng.integers(0, 4))]
        # Equal scores occur between photos, where their order is that of the photos, and not within one.
        found = [(name, score + place / 1000, mask) for place, (name, score, mask) in enumerate(found)]
        made.append((things(found), things(truth)))
    return made


def things(rows: list[tuple[Any, ...]]) -> Things:
    """As the fixture `make_things` makes them, which a module's fixture cannot ask for."""
    from dentify.imaging.masks import mask_to_box, rle_encode

    return Things(
        names=tuple(row[0] for row in rows),
        boxes_xyxy=np.array([mask_to_box(row[2]) for row in rows], np.float64).reshape(-1, 4),
        rles=tuple({"size": list(SIZE_HW), "counts": rle_encode(row[2]).counts} for row in rows),
        outlined=np.ones(len(rows), np.bool_),
        scores=np.array([row[1] for row in rows], np.float64),
        crowd=np.array([bool(row[3]) if len(row) > 3 else False for row in rows], np.bool_),
        severities=(None,) * len(rows),
    )


def reference_precision(photos: Photos, iou_type: IouType) -> NDArray[np.float64]:
    """pycocotools' precision at 100 detections, `(T, R, K, A)`, with CarDD's sizes."""
    truth, results = [], []
    for image_id, (found, annotated) in enumerate(photos, start=1):
        for index, name in enumerate(annotated.names):
            rle = annotated.rles[index]
            row = {"id": len(truth) + 1, "image_id": image_id, "category_id": NAMES.index(name) + 1, "segmentation": rle}
            row |= {"bbox": xyxy_to_xywh(annotated.boxes_xyxy[index]).tolist(), "area": area(rle)}
            truth.append(row | {"iscrowd": int(annotated.crowd[index])})
        for index, name in enumerate(found.names):
            row = {"image_id": image_id, "category_id": NAMES.index(name) + 1, "score": float(found.scores[index])}
            outline = (
                {"segmentation": found.rles[index]}
                if iou_type == "segm"
                else {"bbox": xyxy_to_xywh(found.boxes_xyxy[index]).tolist()}
            )
            results.append(row | outline)
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number + 1, "height": SIZE_HW[0], "width": SIZE_HW[1]} for number in range(len(photos))],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES, start=1)],
        "annotations": truth,
        "info": {},
    }
    coco.createIndex()
    evaluator = COCOeval(coco, coco.loadRes(results), iou_type)
    evaluator.params.areaRng = [list(bounds) for bounds in CARDD_AREAS.values()]
    evaluator.params.areaRngLbl = list(CARDD_AREAS)
    evaluator.evaluate()
    evaluator.accumulate()
    return np.asarray(evaluator.eval["precision"])[..., -1]


def ours(photos: Photos, iou_type: IouType) -> Any:
    evaluator = AveragePrecision(NAMES, iou_type)
    for found, annotated in photos:
        evaluator.add(found, annotated, SIZE_HW, NAMES)
    return evaluator.results()


@pytest.mark.parametrize("iou_type", ["segm", "bbox"])
def test_it_equals_pycocotools_per_type_and_size(photos: Photos, iou_type: IouType) -> None:
    expected = reference_precision(photos, iou_type)
    for k, (name, result) in enumerate(ours(photos, iou_type).items()):
        assert name == NAMES[k]
        assert pytest.approx(expected[:, :, k, 0].mean(), abs=1e-6) == result.AP
        assert pytest.approx(expected[0, :, k, 0].mean(), abs=1e-6) == result.AP50
        assert pytest.approx(expected[5, :, k, 0].mean(), abs=1e-6) == result.AP75
        for a, size in enumerate(("AP_small", "AP_medium", "AP_large"), start=1):
            counted = expected[:, :, k, a]
            value = getattr(result, size)
            assert (value is None) == bool((counted == -1).all())
            assert value is None or value == pytest.approx(counted.mean(), abs=1e-6)
        np.testing.assert_allclose(result.curve, expected[0, :, k, 0], atol=1e-6)
    assert 0.1 < expected[0, :, :, 0].mean() < 0.9, "the data must tell evaluators apart"


def test_a_thin_scratch_in_a_wide_box_is_as_small_as_its_mask(make_things: Make) -> None:
    """pycocotools' `loadRes` takes the size of a result from its box where it has one, beside a mask, too.

    A false finding counts among the sizes that it is of itself. This one has 300 pixels in a box of 300 × 300: as a mask it is
    small, and wrong among the small ones.
    """
    diagonal = np.eye(300, dtype=np.bool_)
    thin = np.pad(diagonal, ((0, 200), (0, 120)))
    found = make_things([("dent", 0.9, thin), ("dent", 0.8, (400, 450, 420, 500))], SIZE_HW)
    truth = make_things([("dent", 1.0, (400, 450, 420, 500)), ("dent", 1.0, (0, 0, 300, 300))], SIZE_HW)
    dent = ours([(found, truth)], "segm")["dent"]
    assert (dent.AP_small, dent.AP_large) == (pytest.approx(0.5), 0.0)
    assert dent.AP_small == pytest.approx(reference_precision([(found, truth)], "segm")[:, :, 0, 1].mean())
    assert ours([(found, truth)], "bbox")["dent"].AP_small == pytest.approx(1.0)  # as a box it is large, and right


@pytest.mark.parametrize("iou_type", ["segm", "bbox"])
def test_our_matches_give_the_same_ap_when_each_photo_counts_once(photos: Photos, iou_type: IouType) -> None:
    expected = reference_precision(photos, iou_type)
    for k, name in enumerate(NAMES):
        matches = [match_photo(found.of(name), annotated.of(name), iou_type) for found, annotated in photos]
        resampled = resampled_precision(matches, np.ones((1, len(photos)), np.int64))
        np.testing.assert_allclose(resampled[0], expected[:, :, k, 0].mean(axis=1), atol=1e-6)


def test_a_resample_equals_an_evaluation_of_the_photos_drawn(photos: Photos) -> None:
    rng = np.random.default_rng(0)
    weights = rng.multinomial(len(photos), np.full(len(photos), 1 / len(photos)), size=3)
    for weight in weights:
        drawn = [photo for photo, times in zip(photos, weight, strict=True) for _ in range(times)]
        results = ours(drawn, "segm")
        for name in NAMES:
            matches = [match_photo(found.of(name), annotated.of(name), "segm") for found, annotated in photos]
            resampled = resampled_precision(matches, weight[None])[0]
            assert resampled.mean() == pytest.approx(results[name].AP, abs=1e-6)
            assert resampled[0] == pytest.approx(results[name].AP50, abs=1e-6)


def test_more_than_100_findings_of_a_type_are_cut_off(make_things: Make) -> None:
    truth = make_things([("dent", 1.0, (0, 0, 10, 10))])
    wrong = [("dent", 0.9, (20, 20, 30, 30))] * 100
    last = make_things([*wrong, ("dent", 0.1, (0, 0, 10, 10))])
    assert not match_photo(last, truth, "segm").right.any()
    assert match_photo(last.select(range(1, 101)), truth, "segm").right[:, -1].all()


def test_matching_takes_the_best_free_annotation_most_confident_first(make_things: Make) -> None:
    truth = make_things([("dent", 1.0, (0, 0, 10, 10)), ("dent", 1.0, (20, 0, 30, 10))])
    found = make_things([("dent", 0.5, (0, 0, 10, 9)), ("dent", 0.9, (0, 0, 10, 6)), ("dent", 0.4, (20, 0, 30, 10))])
    matches = match_photo(found, truth, "segm", np.array([0.5, 0.75]))
    np.testing.assert_array_equal(matches.scores, [0.9, 0.5, 0.4])
    np.testing.assert_array_equal(matches.right, [[True, False, True], [False, True, True]])
    np.testing.assert_array_equal(matches.missed, [0, 0])


def test_a_crowd_is_neither_asked_for_nor_wrong_to_find(make_things: Make) -> None:
    truth = make_things([("dent", 1.0, (0, 0, 30, 30), True)])
    found = make_things([("dent", 0.9, (0, 0, 10, 10)), ("dent", 0.8, (5, 5, 15, 15)), ("dent", 0.7, (40, 0, 50, 10))])
    matches = match_photo(found, truth, "segm")
    assert matches.annotated == 0
    assert matches.left_out[0].tolist() == [True, True, False]
    assert not matches.right.any()
    assert matches.missed.tolist() == [0] * len(IOU_THRESHOLDS)


def test_a_type_without_annotations_has_no_ap_and_not_0(make_things: Make) -> None:
    evaluator = AveragePrecision(NAMES, "segm")
    evaluator.add(make_things([("dent", 0.5, (0, 0, 5, 5))]), make_things([]), (40, 60), NAMES)
    results = evaluator.results()
    assert (results["dent"].AP, results["dent"].curve) == (None, ())
    assert AveragePrecision(NAMES, "segm").results()["dent"].AP is None
    nothing = [match_photo(make_things([("dent", 0.5, (0, 0, 5, 5))]), make_things([]), "segm"), None]
    assert np.isnan(resampled_precision(nothing, np.ones((2, 2), np.int64))).all()
    assert np.isnan(resampled_precision([None], np.ones((2, 1), np.int64))).all()


def test_names_that_a_photo_does_not_label_are_passed_over(make_things: Make) -> None:
    results = []
    for found in ([("dent", 0.9, (0, 0, 10, 10))], [("dent", 0.9, (0, 0, 10, 10)), ("scratch", 1.0, (20, 0, 30, 10))]):
        evaluator = AveragePrecision(NAMES, "bbox")
        evaluator.add(
            make_things([("scratch", 0.5, (0, 0, 5, 5))]), make_things([("scratch", 1.0, (0, 0, 5, 5))]), (40, 60), NAMES
        )
        evaluator.add(make_things(found), make_things([("dent", 1.0, (0, 0, 10, 10))]), (40, 60), ["dent"])
        results.append(evaluator.results())
    assert results[0] == results[1]
    assert pytest.approx(1.0) == results[0]["scratch"].AP


def test_unmatched_annotations_are_told_in_their_own_order_and_crowds_never(make_things: Make) -> None:
    left, middle, right = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)
    annotated = make_things([("dent", 1, left, True), ("dent", 1, middle), ("dent", 1, right)])
    match = match_photo(make_things([("dent", 0.9, middle)]), annotated, "segm")
    assert match.unmatched[0].tolist() == [False, False, True]
    assert match.missed.tolist() == [1] * len(IOU_THRESHOLDS)
