"""Assessments made by hand, for tests of what is told of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dentify.assessment import Assessment, BundleIdentity, Finding, PartOfFinding, Photo, Quality, ReportLine, Review
from dentify.imaging.masks import rle_encode


def finding(number: int = 1, kind: str = "dent", **changes: Any) -> Finding:
    """A finding of 40 × 20 pixels on a photo of 200 × 100, with a mask."""
    mask = np.zeros((100, 200), bool)
    mask[30:50, 60:100] = True
    fields: dict[str, Any] = {
        "id": number,
        "type": kind,
        "confidence": 0.8,
        "box": (60, 30, 100, 50),
        "mask": rle_encode(mask),
        "area_share": 0.04,
        "parts": (PartOfFinding(name="front_left_door", confidence=0.9, share_of_finding=1, share_of_part=0.1),),
        "severity": None,
    }
    return Finding(**fields | changes)


def answer(name: str = "a.jpg", **changes: Any) -> Assessment:
    """An assessment of a photo of 200 × 100 with these fields; its report has a line a finding."""
    findings = changes.get("findings", ())
    lines = [ReportLine(kind="verdict", text="Look closely.", sources=("findings",), findings=tuple(one.id for one in findings))]
    lines += [
        ReportLine(kind="finding", text=f"{one.id}. {one.type}.", sources=("findings",), findings=(one.id,)) for one in findings
    ]
    fields: dict[str, Any] = {
        "photo": Photo(name=name, sha256="0" * 64, width=200, height=100, captured_at=None),
        "bundle": BundleIdentity(name="tiny", version="1.0.0", sha256="b" * 64),
        "quality": Quality(usable=True),
        "vehicle": None,
        "damage": None,
        "severity": None,
        "review": Review(needed=False),
        "report": "\n".join(line.text for line in lines),
        "report_lines": tuple(lines),
        "dentify_version": "0.1.0",
    }
    return Assessment(**fields | changes)
