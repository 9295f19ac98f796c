"""Answers as other tools take them: flat rows for pandas, a document of COCO, and detections for supervision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from dentify.assessment import Assessment, Finding, FoundPart
from dentify.errors import InputError, MissingExtraError
from dentify.results.findings import (
    COCO_INFO,
    CocoObject,
    Row,
    coco_annotations,
    coco_categories,
    coco_images,
    finding_values,
)
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES

if TYPE_CHECKING:
    import supervision

RowsBy = Literal["finding", "photo"]


def rows(assessments: Assessment | Iterable[Assessment], *, by: RowsBy = "finding") -> list[Row]:
    """Flat rows, all with the same keys, such as `pandas.DataFrame(dentify.rows(assessments))` takes.

    Args:
        assessments: one or many.
        by: `"finding"`: a row a finding, none for a photo without; `"photo"`: a row a photo.

    Returns:
        Rows in the order of the assessments, of findings with the columns of `findings.csv`. `None` is *not judged*. Boxes are in
        pixels of the upright photo, shares in [0, 1]. Lists, such as the parts of a finding, are joined by `"; "`.

    Raises:
        InputError: `by` is neither of the two.
    """
    if by not in get_args(RowsBy):
        raise InputError(f"by must be finding or photo, got {by!r}")
    given = _each(assessments)
    if by == "photo":
        return [_photo_row(assessment) for assessment in given]
    return [row for assessment in given for row in finding_values(assessment)]


def _photo_row(assessment: Assessment) -> Row:
    vehicle, damage, severity = assessment.vehicle, assessment.damage, assessment.severity
    return {
        "name": assessment.photo.name,
        "vehicle": None if vehicle is None else vehicle.present,
        "vehicle_confidence": None if vehicle is None else vehicle.confidence,
        "damage": None if damage is None else damage.present,
        "damage_confidence": None if damage is None else damage.confidence,
        "types": None if assessment.types is None else "; ".join(one.type for one in assessment.types),
        "findings": len(assessment.findings),
        "severity": None if severity is None else severity.level,
        "review_needed": assessment.review.needed,
        "review": "; ".join(dict.fromkeys(reason.code for reason in assessment.review.reasons)),
        "quality_issues": "; ".join(assessment.quality.issues),
        "report": assessment.report,
    }


def to_coco(assessments: Assessment | Iterable[Assessment], *, names: Sequence[str] | None = None) -> CocoObject:
    """What was found, as a document of COCO: what `dentify assess --format json,coco` writes, as a dict.

    Args:
        assessments: one or many.
        names: the categories, numbered from 1; the taxonomy's damage types where not given, own names of the answers after them.

    Returns:
        `images`, numbered from 1 in the order of the answers; `annotations` with `bbox` as `[x, y, width, height]`,
        `segmentation` as compressed RLE (`[]` where there is no mask), both in pixels of the upright photo, `score`, `finding`
        (the id in its answer) and `severity`; `categories`. `json.dump` takes it.

    Raises:
        InputError: `names` lacks one that was found, or names one twice.
    """
    given = list(_each(assessments))
    categories = {name: number for number, name in enumerate(DAMAGE_NAMES if names is None else names, 1)}
    if names is not None:
        if len(categories) < len(names):
            raise InputError("names hold one twice; each is a category of its own")
        _check_names({finding.type for answer in given for finding in answer.findings}, names)
    annotations = list(coco_annotations(given, categories))
    return {
        "info": dict(COCO_INFO),
        "images": list(coco_images(given)),
        "annotations": annotations,
        "categories": coco_categories(categories),
    }


def to_supervision(
    assessment: Assessment, *, of: Literal["findings", "parts"] = "findings", names: Sequence[str] | None = None
) -> supervision.Detections:
    """What was found, as `supervision.Detections`: for its annotators, trackers and metrics.

    Args:
        assessment: one answer.
        of: findings, or the parts in view.
        names: what class ids count; the taxonomy's types or parts where not given, own names of the answer after them.

    Returns:
        `n` detections: `xyxy` `(n, 4)` in pixels of the upright photo, `mask` `(n, height, width)` where each has one,
        `confidence`, `class_id`, and in `data` `class_name`; of findings also `finding` (the id), `severity` and `part`, empty
        where not told.

    Raises:
        InputError: `of` is neither, or `names` lacks one that was found.
        MissingExtraError: supervision is not installed.
    """
    try:
        import supervision
    except ModuleNotFoundError as error:
        raise MissingExtraError(what="to_supervision", extra="supervision") from error

    if of not in ("findings", "parts"):
        raise InputError(f"of must be findings or parts, got {of!r}")
    found: Sequence[Finding | FoundPart] = assessment.findings if of == "findings" else assessment.parts
    called = [_name(one) for one in found]
    known = list(
        dict.fromkeys([*(DAMAGE_NAMES if of == "findings" else PART_NAMES), *sorted(called)]) if names is None else names
    )
    _check_names(called, known)
    masks = [mask for one in found if (mask := one.mask_array()) is not None]
    data: dict[str, list[str] | list[int]] = {"class_name": called}
    if of == "findings":
        data["finding"] = [finding.id for finding in assessment.findings]
        data["severity"] = [finding.severity.level if finding.severity else "" for finding in assessment.findings]
        data["part"] = [finding.parts[0].name if finding.parts else "" for finding in assessment.findings]
    return supervision.Detections(
        xyxy=np.array([one.box for one in found], np.float32).reshape(-1, 4),
        mask=np.stack(masks) if masks and len(masks) == len(found) else None,
        confidence=np.array([one.confidence for one in found], np.float32),
        class_id=np.array([known.index(name) for name in called], np.int64),
        data={key: np.array(values) for key, values in data.items()},
    )


def _each(assessments: Assessment | Iterable[Assessment]) -> Iterable[Assessment]:
    return [assessments] if isinstance(assessments, Assessment) else assessments


def _check_names(found: Iterable[str], names: Sequence[str]) -> None:
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise InputError(f"names lack what was found: {', '.join(unknown)}")


def _name(one: Finding | FoundPart) -> str:
    return one.type if isinstance(one, Finding) else one.name
