"""The things of one photo, true or found, as evaluation compares them: names, scores, boxes and COCO RLEs at the photo's size.

RLEs come from polygons as COCO's own code draws them, so that AP is what pycocotools would say. All set operations run on the
runs: no full-size bitmap of a photo is made.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
from hotcoco import mask as coco_mask

from dentify.arrays import BoolArray, DoubleArray
from dentify.assessment import Assessment
from dentify.datasets.sample import UNTYPED, Annotation, Kind, Sample
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


@dataclass(frozen=True, eq=False)
class Truth:
    """What a photo's labels say of its damages, or of its parts.

    Attributes:
        labelled: names that its source labels.
        annotated: things of these names.
        untyped: damage of a type that nobody told: truth for any damage, and no type's.
        ignored: what is to be ignored (unsure, of another vehicle).
        of_any_type: whether its source labels all damage, of whatever type.
    """

    labelled: tuple[str, ...]
    annotated: Things
    untyped: Things
    ignored: Things
    of_any_type: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to judge by."""
        return bool(self.labelled) or self.of_any_type

    @cached_property
    def left_out(self) -> Things:
        """Regions in which a finding of no type is wrong, as crowds: what is to be ignored, and damage of no known type."""
        regions = joined(self.ignored, self.untyped)
        return replace(regions, crowd=np.ones(len(regions), np.bool_))

    def of(self, name: str) -> Things:
        """Things of one name, and the regions to leave out as crowds of that name."""
        regions = self.left_out
        return joined(self.annotated.of(name), replace(regions, names=(name,) * len(regions)))

    def of_all(self, names: Collection[str]) -> Things:
        """Things of some names, and the regions to leave out as crowds of each of them."""
        return reduce(joined, [self.of(name) for name in names], self.annotated.select([]))


def truth_of(sample: Sample, names: Collection[str], kind: Kind = "damage") -> Truth:
    """What a sample says of the given damages, or parts.

    Where `UNTYPED` is among the names, it is a type like others: a bundle may be taught damage alone.
    """
    damages = kind == "damage" and UNTYPED not in names
    named = [one for one in sample.annotations if one.name in names and one.name in sample.labelled and not one.ignored]
    return Truth(
        labelled=tuple(name for name in names if name in sample.labelled),
        annotated=_things(named, sample),
        untyped=_things([one for one in sample.damages if one.name == UNTYPED] if damages else [], sample),
        ignored=_things([one for one in sample.annotations if one.ignored and one.kind == kind], sample),
        of_any_type=damages and UNTYPED in sample.labelled,
    )


def _things(annotations: Sequence[Annotation], sample: Sample) -> Things:
    assert sample.size_hw is not None
    return Things(
        names=tuple(annotation.name for annotation in annotations),
        boxes_xyxy=np.array([annotation.box_xyxy for annotation in annotations], np.float64).reshape(-1, 4),
        rles=tuple(annotation_rle(annotation, sample.size_hw) for annotation in annotations),
        outlined=np.array([annotation.has_mask for annotation in annotations], np.bool_),
        scores=np.ones(len(annotations)),
        crowd=np.array([annotation.crowd for annotation in annotations], np.bool_),
        severities=tuple(annotation.severity for annotation in annotations),
    )


def joined(first: Things, second: Things) -> Things:
    """Both, one after the other."""
    if not len(second):
        return first
    return Things(
        names=(*first.names, *second.names),
        boxes_xyxy=np.concatenate([first.boxes_xyxy, second.boxes_xyxy]),
        rles=(*first.rles, *second.rles),
        outlined=np.concatenate([first.outlined, second.outlined]),
        scores=np.concatenate([first.scores, second.scores]),
        crowd=np.concatenate([first.crowd, second.crowd]),
        severities=(*first.severities, *second.severities),
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
