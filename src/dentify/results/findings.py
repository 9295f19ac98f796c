"""The rows of `findings.csv`, one finding each, and `results.coco.json`, all findings as other programs read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dentify.assessment import Assessment, Finding
from dentify.certainty import certainty_of
from dentify.imaging.masks import rle_area
from dentify.spreadsheets import safe_cell, safe_path_cell

CocoObject = dict[str, Any]
COCO_INFO: CocoObject = {"description": "Findings of Dentify"}

FIELDS = (
    "name",
    "finding",
    "type",
    "certainty",
    "confidence",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
    "parts",
    "side",
    "area_share",
    "share_of_part",
    "severity",
    "review",
)
"""What a row tells of a finding, here and in `dentify.rows`."""
FINDING_COLUMNS = (*FIELDS, "crop")

Row = dict[str, str | int | float | bool | None]


def finding_values(assessment: Assessment) -> Iterator[Row]:
    """A row a finding, by `FIELDS`; `None` is *not judged*.

    Boxes are in pixels of the upright photo, shares in [0, 1]; `share_of_part` is of the first part. Lists are joined by `"; "`.
    """
    for finding in assessment.findings:
        reasons = dict.fromkeys(reason.code for reason in assessment.review.reasons if reason.finding == finding.id)
        values = (
            assessment.photo.name,
            finding.id,
            finding.type,
            certainty_of(finding.confidence),
            finding.confidence,
            *finding.box,
            "; ".join(part.name for part in finding.parts),
            "; ".join(sides(finding)),
            finding.area_share,
            finding.parts[0].share_of_part if finding.parts else None,
            None if finding.severity is None else finding.severity.level,
            "; ".join(reasons),
        )
        yield dict(zip(FIELDS, values, strict=True))


def finding_rows(assessment: Assessment, crops: Callable[[int], str] | None = None) -> Iterator[list[str]]:
    """A row a finding, cells as `FINDING_COLUMNS` names them; empty is *not judged*.

    Args:
        assessment: of one photo.
        crops: where the picture of a finding is, by its id, relative to the folder of results; `None`: there are none.
    """
    for finding, row in zip(assessment.findings, finding_values(assessment), strict=True):
        name, *others = row.values()
        yield [
            safe_path_cell(str(name)),
            *map(_cell, others),
            "" if crops is None else safe_cell(crops(finding.id)),
        ]


def _cell(value: str | float | None) -> str:
    if isinstance(value, float):
        return f"{value:g}" if value < 1e5 else f"{value:.1f}"
    return "" if value is None else safe_cell(str(value))


def sides(finding: Finding) -> list[str]:
    """The vehicle's own sides that the parts of a finding are named after; none for parts such as a hood."""
    words = [word for part in finding.parts for word in part.name.split("_")]
    return [side for side in ("left", "right") if side in words]


def coco_document(answers: Callable[[], Iterable[Assessment]], types: Sequence[str]) -> Iterator[str]:
    """COCO's JSON, piece by piece: `info`, `images`, `annotations`, `categories`, as `coco_images` and its like give them.

    Args:
        answers: all assessments, in the same order each time it is called; none is kept.
        types: of the bundle, in its order; names beyond them follow as they come.
    """
    categories = {name: number for number, name in enumerate(types, 1)}
    yield f'{{"info": {json.dumps(COCO_INFO)},\n"images": ['
    yield from _lines(coco_images(answers()))
    yield '],\n"annotations": ['
    yield from _lines(coco_annotations(answers(), categories))
    yield f'],\n"categories": {_json(coco_categories(categories))}}}\n'


def _lines(objects: Iterable[CocoObject]) -> Iterator[str]:
    for count, one in enumerate(objects):
        yield f"{',' if count else ''}\n{_json(one)}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def coco_images(answers: Iterable[Assessment]) -> Iterator[CocoObject]:
    """COCO's `images`, numbered from 1 in the order of the answers."""
    for number, answer in enumerate(answers, 1):
        photo = answer.photo
        yield {"id": number, "file_name": photo.name, "width": photo.width, "height": photo.height}


def coco_annotations(answers: Iterable[Assessment], categories: dict[str, int]) -> Iterator[CocoObject]:
    """COCO's `annotations`, with `score`: a finding each, numbered from 1.

    They have `bbox` as `[x, y, width, height]` and `segmentation` as compressed RLE, both in pixels of the upright photo, and two
    fields more: `finding`, its id in the answer, and `severity`.

    Args:
        answers: in the order of `coco_images`.
        categories: the number of each type, from 1 on; types that it lacks are added as they come.
    """
    number = 0
    for image, answer in enumerate(answers, 1):
        for finding in answer.findings:
            number += 1
            yield _annotation(finding, number, image, categories.setdefault(finding.type, len(categories) + 1))


def coco_categories(categories: Mapping[str, int]) -> list[CocoObject]:
    """COCO's `categories`."""
    return [{"id": number, "name": name, "supercategory": "damage"} for name, number in categories.items()]


def _annotation(finding: Finding, number: int, image: int, category: int) -> CocoObject:
    x_min, y_min, x_max, y_max = finding.box
    width, height = x_max - x_min, y_max - y_min
    mask = finding.mask
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [x_min, y_min, round(width, 2), round(height, 2)],
        "area": round(width * height, 2) if mask is None else rle_area(mask),
        "segmentation": [] if mask is None else {"size": list(mask.size), "counts": mask.counts},
        "iscrowd": 0,
        "score": finding.confidence,
        "finding": finding.id,
        "severity": None if finding.severity is None else finding.severity.level,
    }
