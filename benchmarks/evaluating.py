"""How long AP takes beside pycocotools: made-up photos of CarDD's size with many candidates each, both in one run.

    python benchmarks/evaluating.py [--photos 325] [--candidates 100] [--times 5]

Both are given the same masks as COCO RLE and the same boxes, and both reckon AP of each type by CarDD's size bins at 100 findings
a photo. pycocotools' time is that of loading the results, matching and accumulating, without what it prints; ours that of all
that `dentify evaluate` does for these figures. Of several times each, in turns, the smallest counts: on the clock, and of
processors, which a busy machine moves less. The figures themselves are compared, too: a run in which they differ by more than
1e-6 ends there.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dentify.arrays import BoolArray, DoubleArray
from dentify.evaluation.average_precision import CARDD_AREAS, AveragePrecision, IouType
from dentify.evaluation.outlines import Things, area
from dentify.imaging.boxes import xyxy_to_xywh
from dentify.imaging.masks import crop_to_rle
from dentify.taxonomy import DAMAGE_NAMES

NAMES = DAMAGE_NAMES[:6]
SIZE_HW = (684, 1000)
Photos = list[tuple[Things, Things]]


def main() -> None:
    """One JSON document on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=325)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    photos = made_up(arguments.photos, arguments.candidates)
    told: dict[str, Any] = {"photos": arguments.photos, "candidates": arguments.candidates}
    whole = np.zeros((2, 2))
    kinds: tuple[IouType, IouType] = ("segm", "bbox")
    for iou_type in kinds:
        seconds = []
        for _ in range(arguments.times):
            ours, theirs = timed_ours(photos, iou_type), timed_pycocotools(photos, iou_type)
            np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
            seconds.append((ours[1], theirs[1]))
        best = np.min(seconds, axis=0)  # (ours and pycocotools, clock and processors)
        whole += best
        told[iou_type] = figures(best)
    print(json.dumps(told | {"both": figures(whole)}, indent=2))


def figures(seconds: DoubleArray) -> dict[str, float]:
    """Times `(2, 2)`, ours and pycocotools' on the clock and of processors, with their ratios."""
    ours, theirs = seconds.round(3).tolist()
    clock, processors = (seconds[0] / seconds[1]).round(3).tolist()
    return {
        "ours_s": ours[0],
        "pycocotools_s": theirs[0],
        "ratio": clock,
        "ours_processor_s": ours[1],
        "pycocotools_processor_s": theirs[1],
        "processor_ratio": processors,
    }


def clocks() -> DoubleArray:
    """Seconds on the clock and of all processors."""
    return np.array([time.perf_counter(), time.process_time()])


def timed_ours(photos: Photos, iou_type: IouType) -> tuple[list[float], DoubleArray]:
    """AP of each type, and the seconds that it took, as `clocks` tells them."""
    begin = clocks()
    evaluator = AveragePrecision(NAMES, iou_type)
    for found, annotated in photos:
        evaluator.add(found, annotated, SIZE_HW, NAMES)
    results = evaluator.results()
    return [results[name].AP or 0.0 for name in NAMES], clocks() - begin


def timed_pycocotools(photos: Photos, iou_type: IouType) -> tuple[list[float], DoubleArray]:
    """Likewise; making its rows is not in the time, as a detector's writer would have made them."""
    truth: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for number, (found, annotated) in enumerate(photos, 1):
        for name, rle, bbox in zip(annotated.names, annotated.rles, xyxy_to_xywh(annotated.boxes_xyxy).tolist(), strict=True):
            row = {"id": len(truth) + 1, "image_id": number, "category_id": NAMES.index(name) + 1, "segmentation": rle}
            truth.append(row | {"bbox": bbox, "area": area(rle), "iscrowd": 0})
        outlines = found.rles if iou_type == "segm" else xyxy_to_xywh(found.boxes_xyxy).tolist()
        key = "segmentation" if iou_type == "segm" else "bbox"
        results += [
            {"image_id": number, "category_id": NAMES.index(name) + 1, "score": score, key: outline}
            for name, score, outline in zip(found.names, found.scores.tolist(), outlines, strict=True)
        ]
    begin = clocks()
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": number + 1, "height": SIZE_HW[0], "width": SIZE_HW[1]} for number in range(len(photos))],
            "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)],
            "annotations": truth,
            "info": {},
        }
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(results), iou_type)
        evaluator.params.areaRng = [list(bounds) for bounds in CARDD_AREAS.values()]
        evaluator.params.areaRngLbl = list(CARDD_AREAS)
        evaluator.evaluate()
        evaluator.accumulate()
    seconds = clocks() - begin
    precision = np.asarray(evaluator.eval["precision"])[:, :, :, 0, -1]  # (T, R, K) of all sizes at 100 findings
    return [max(0.0, float(precision[..., k].mean())) for k in range(len(NAMES))], seconds


def made_up(photos: int, candidates: int) -> Photos:
    """Photos with one to four ellipses; most candidates lie anywhere, some near an ellipse and of its type."""
    rng = np.random.default_rng(0)
    made: Photos = []
    for _ in range(photos):
        true = [(str(rng.choice(NAMES)), 1.0, *ellipse(rng)) for _ in range(rng.integers(1, 5))]
        found = [
            (name, float(rng.random()), centre + rng.normal(0, 8, 2), radii * np.exp(rng.normal(0, 0.2, 2)))
            for name, _, centre, radii in true
            for _ in range(6)
        ]
        found += [(str(rng.choice(NAMES)), float(rng.random()), *ellipse(rng)) for _ in range(candidates - len(found))]
        made.append((things(sorted(found[:candidates], key=lambda row: -row[1])), things(true)))
    return made


def ellipse(rng: np.random.Generator) -> tuple[Any, Any]:
    """Centre and radii, (y, x), on both sides of 128² and 256² pixels."""
    return rng.uniform((40, 40), (SIZE_HW[0] - 40, SIZE_HW[1] - 40)), np.exp(rng.uniform(np.log(8), np.log(200), 2))


def things(rows: list[tuple[str, float, Any, Any]]) -> Things:
    """Ellipses as findings or annotations."""
    boxes, rles = [], []
    for _, _, centre, radii in rows:
        top, left = (int(max(0, side)) for side in np.floor(centre - radii))
        bottom, right = (int(min(most, side)) for most, side in zip(SIZE_HW, np.ceil(centre + radii) + 1, strict=True))
        y, x = np.ogrid[top:bottom, left:right]
        mask: BoolArray = ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1
        rle = crop_to_rle(mask, (left, top), SIZE_HW, SIZE_HW)
        rles.append({"size": list(rle.size), "counts": rle.counts})
        boxes.append((left, top, right, bottom))
    return Things(
        names=tuple(name for name, *_ in rows),
        boxes_xyxy=np.array(boxes, np.float64).reshape(-1, 4),
        rles=tuple(rles),
        outlined=np.ones(len(rows), np.bool_),
        scores=np.array([score for _, score, *_ in rows], np.float64),
        crowd=np.zeros(len(rows), np.bool_),
        severities=(None,) * len(rows),
    )


if __name__ == "__main__":
    main()
