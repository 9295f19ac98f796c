"""The things of one photo, true or found, as evaluation compares them: names, scores, boxes and COCO RLEs at the photo's size.

RLEs come from polygons as COCO's own code draws them, so that AP is what pycocotools would say. All set operations run on the
runs: no full-size bitmap of a photo is made.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hotcoco import mask as coco_mask

from dentify.arrays import BoolArray, DoubleArray
from dentify.assessment import Assessment
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.boxes import xyxy_to_xywh

Rle = dict[str, Any]
"""`{"size": [height, width], "counts": …}`, as pycocotools has it."""


@dataclass(frozen=True, eq=False)
class Things:
    """N annotated or found things of one photo.

    Attributes:
        names: N damage types or parts.
        boxes_xyxy: `(N, 4)` pixels of the photo.
        rles: N masks; that of a thing with a box alone is its filled box.
        outlined: `(N,)` whether the mask is one, and not a filled box.
        scores: `(N,)` confidences; 1 for annotations.
        crowd: `(N,)` COCO's `iscrowd`.
        severities: N levels, `None` where not told.
    """

    names: tuple[str, ...]
    boxes_xyxy: DoubleArray
    rles: tuple[Rle, ...]
    outlined: BoolArray
    scores: DoubleArray
    crowd: BoolArray
    severities: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.names)

    def of(self, name: str) -> Things:
        """Those of one name."""
        return self.select([index for index, other in enumerate(self.names) if other == name])

    def select(self, indices: Sequence[int]) -> Things:
        """Those at the given places, in that order."""
        rows = np.array(indices, np.int64)
        return Things(
            names=tuple(self.names[index] for index in indices),
            boxes_xyxy=self.boxes_xyxy[rows],
            rles=tuple(self.rles[index] for index in indices),
            outlined=self.outlined[rows],
            scores=self.scores[rows],
            crowd=self.crowd[rows],
            severities=tuple(self.severities[index] for index in indices),
        )


def annotated_things(sample: Sample, names: Collection[str]) -> Things:
    """A sample's annotations of the given names."""
    assert sample.size_hw is not None
    annotations = [annotation for annotation in sample.annotations if annotation.name in names]
    return Things(
        names=tuple(annotation.name for annotation in annotations),
        boxes_xyxy=np.array([annotation.box_xyxy for annotation in annotations], np.float64).reshape(-1, 4),
        rles=tuple(annotation_rle(annotation, sample.size_hw) for annotation in annotations),
        outlined=np.array([annotation.has_mask for annotation in annotations], np.bool_),
        scores=np.ones(len(annotations)),
        crowd=np.array([annotation.crowd for annotation in annotations], np.bool_),
        severities=tuple(annotation.severity for annotation in annotations),
    )


def found_things(assessment: Assessment, names: Collection[str]) -> Things:
    """An assessment's findings and parts of the given names, most confident first."""
    size_hw = (assessment.photo.height, assessment.photo.width)
    found = [(finding.type, finding) for finding in assessment.findings] + [(part.name, part) for part in assessment.parts]
    found = sorted((pair for pair in found if pair[0] in names), key=lambda pair: -pair[1].confidence)
    return Things(
        names=tuple(name for name, _ in found),
        boxes_xyxy=np.array([thing.box for _, thing in found], np.float64).reshape(-1, 4),
        rles=tuple(
            box_rle(thing.box, size_hw) if thing.mask is None else {"size": list(thing.mask.size), "counts": thing.mask.counts}
            for _, thing in found
        ),
        outlined=np.array([thing.mask is not None for _, thing in found], np.bool_),
        scores=np.array([thing.confidence for _, thing in found], np.float64),
        crowd=np.zeros(len(found), np.bool_),
        severities=tuple(
            severity.level if (severity := getattr(thing, "severity", None)) is not None else None for _, thing in found
        ),
    )


def annotation_rle(annotation: Annotation, size_hw: tuple[int, int]) -> Rle:
    """The mask of an annotation, its filled box where it has none."""
    if annotation.rle is not None:
        return {"size": list(annotation.rle.size), "counts": annotation.rle.counts}
    if annotation.polygons:
        return union([coco_mask.fr_poly(polygon.ravel().tolist(), *size_hw) for polygon in annotation.polygons], size_hw)
    return box_rle(annotation.box_xyxy, size_hw)


def box_rle(box_xyxy: Sequence[float], size_hw: tuple[int, int]) -> Rle:
    """A filled box."""
    return coco_mask.fr_bbox(list(xyxy_to_xywh(box_xyxy)), *size_hw)


def union(rles: Sequence[Rle], size_hw: tuple[int, int]) -> Rle:
    """All pixels of some masks; an empty mask where there are none."""
    if not rles:
        return {"size": list(size_hw), "counts": [size_hw[0] * size_hw[1]]}
    return rles[0] if len(rles) == 1 else coco_mask.merge(list(rles))


def intersection(a: Rle, b: Rle) -> Rle:
    """Pixels in both masks."""
    return coco_mask.merge([a, b], intersect=True)


def area(rle: Rle) -> int:
    """Pixels of a mask."""
    return int(coco_mask.area(rle))


def check_size(sample: Sample, photo_hw: tuple[int, int]) -> None:
    """Refuses a sample whose labels are of another size than its picture.

    Raises:
        DatasetError: they are.
    """
    if sample.size_hw is not None and sample.size_hw != photo_hw:
        labels, picture = (f"{width} × {height}" for height, width in (sample.size_hw, photo_hw))
        name = printable(sample.name)
        raise DatasetError(f"{name}: labels are for a photo of {labels}, the upright picture is {picture}; mend width and height")
