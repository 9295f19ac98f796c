"""The rows of `findings.csv`, one finding each, and `results.coco.json`, all findings as other programs read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from dentify.assessment import Assessment, Finding
from dentify.certainty import certainty_of
from dentify.imaging.masks import rle_area
from dentify.spreadsheets import safe_cell, safe_path_cell

FINDINGS = "findings.csv"
COCO = "results.coco.json"
CROPS = "findings_crops"

FINDING_COLUMNS = (
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
    "severity",
    "review",
    "crop",
)


def finding_rows(assessment: Assessment, crops: Callable[[int], str] | None = None) -> Iterator[list[str]]:
    """A row a finding, cells as `FINDING_COLUMNS` names them.

    Args:
        assessment: of one photo.
        crops: where the picture of a finding is, by its id, relative to the folder of results; `None`: there are none.
    """
    for finding in assessment.findings:
        reasons = [reason.code for reason in assessment.review.reasons if reason.finding == finding.id]
        yield [
            safe_path_cell(assessment.photo.name),
            str(finding.id),
            safe_cell(finding.type),
            certainty_of(finding.confidence),
            f"{finding.confidence:g}",
            *(f"{value:g}" if value < 1e5 else f"{value:.1f}" for value in finding.box),
            safe_cell("; ".join(part.name for part in finding.parts)),
            "; ".join(sides(finding)),
            f"{finding.area_share:g}",
            "" if finding.severity is None else finding.severity.level,
            "; ".join(dict.fromkeys(reasons)),
            "" if crops is None else safe_path_cell(crops(finding.id)),
        ]


def sides(finding: Finding) -> list[str]:
    """The vehicle's own sides that the parts of a finding are named after; none for parts such as a hood."""
    words = [word for part in finding.parts for word in part.name.split("_")]
    return [side for side in ("left", "right") if side in words]


def coco_document(answers: Callable[[], Iterable[Assessment]], types: Sequence[str]) -> Iterator[str]:
    """COCO's JSON, piece by piece: `images`, `annotations` with `score`, `categories`.

    Annotations have `bbox` as `[x, y, width, height]` and `segmentation` as compressed RLE, both in pixels of the upright photo,
    and two fields more: `finding`, its id in the answer, and `severity`.

    Args:
        answers: all assessments, in the same order each time it is called; none is kept.
        types: of the bundle, in its order; names beyond them follow as they come.
    """
    categories = {name: number for number, name in enumerate(types, 1)}
    yield '{"info": {"description": "Findings of Dentify"},\n"images": ['
    for number, answer in enumerate(answers(), 1):
        photo = answer.photo
        image = {"id": number, "file_name": photo.name, "width": photo.width, "height": photo.height}
        yield f"{',' if number > 1 else ''}\n{json.dumps(image, ensure_ascii=False)}"
    yield '],\n"annotations": ['
    count = 0
    for number, answer in enumerate(answers(), 1):
        for finding in answer.findings:
            count += 1
            category = categories.setdefault(finding.type, len(categories) + 1)
            yield f"{',' if count > 1 else ''}\n{json.dumps(_annotation(finding, count, number, category))}"
    named = [{"id": number, "name": name, "supercategory": "damage"} for name, number in categories.items()]
    yield f'],\n"categories": {json.dumps(named, ensure_ascii=False)}}}\n'


def _annotation(finding: Finding, number: int, image: int, category: int) -> dict[str, object]:
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
