"""Assessments and samples made by hand, and an assessor that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dentify.assessment import (
    AnswerSettings,
    Assessment,
    BundleIdentity,
    Finding,
    FoundPart,
    Photo,
    Presence,
    Quality,
    Review,
    Severity,
)
from dentify.datasets import Annotation, Sample
from dentify.evaluation.outlines import Things
from dentify.imaging.masks import mask_to_box, rle_encode
from dentify.runtime.look import Look

Mask = NDArray[np.bool_]
SIZE_HW = (40, 60)


def mask_of(box: Sequence[int], size_hw: tuple[int, int] = SIZE_HW) -> Mask:
    """A filled box (x_min, y_min, x_max, y_max) as a mask."""
    mask = np.zeros(size_hw, np.bool_)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


def as_mask(area: Any, size_hw: tuple[int, int]) -> Mask:
    return area if isinstance(area, np.ndarray) else mask_of(area, size_hw)


@pytest.fixture
def make_sample() -> Callable[..., Sample]:
    """A sample of (name, box or mask[, severity]) tuples."""

    def make(name: str, annotated: Sequence[tuple[Any, ...]] = (), *, labelled: Sequence[str], **more: Any) -> Sample:
        size_hw = more.pop("size_hw", SIZE_HW)
        annotations = []
        for thing, area, *severity in annotated:
            mask = as_mask(area, size_hw)
            box = mask_to_box(mask)
            assert box is not None
            annotations.append(Annotation(thing, box, rle=rle_encode(mask), severity=severity[0] if severity else None))
        damaged = any(annotation.kind == "damage" for annotation in annotations)
        labels = {"vehicle": True, "damage": True if damaged else None} | more
        return Sample(b"", name, size_hw, tuple(annotations), frozenset(labelled), **labels)

    return make


@pytest.fixture
def make_assessment() -> Callable[..., Assessment]:
    """An assessment of (type, confidence, box or mask[, severity]) tuples; gates as probabilities of yes."""

    def make(name: str, found: Sequence[tuple[Any, ...]] = (), **more: Any) -> Assessment:
        size_hw = more.get("size_hw", SIZE_HW)
        findings: list[Finding] = []
        parts: list[FoundPart] = []
        for thing, confidence, area, *severity in found:
            mask = as_mask(area, size_hw)
            common: dict[str, Any] = {"confidence": confidence, "box": mask_to_box(mask), "mask": rle_encode(mask)}
            if thing in ("hood", "wheel"):
                parts.append(FoundPart(name=thing, **common))
                continue
            told = Severity(level=severity[0], confidence=0.5) if severity else None
            findings.append(Finding(id=len(findings) + 1, type=thing, area_share=mask.mean(), severity=told, **common))

        def presence(yes: float | None) -> Presence | None:
            return None if yes is None else Presence(present=yes >= 0.5, confidence=max(yes, 1 - yes))

        severity = more.get("severity")
        return Assessment(
            photo=Photo(name=name, sha256="0" * 64, width=size_hw[1], height=size_hw[0]),
            bundle=BundleIdentity(name="scripted", version="1", sha256="f" * 64),
            quality=Quality(usable=True),
            vehicle=presence(more.get("vehicle", 0.9)),
            damage=presence(more.get("damage", 0.8)),
            findings=tuple(findings),
            parts=tuple(parts),
            severity=None if severity is None else Severity(level=severity, confidence=0.5),
            review=Review(needed=False),
            not_judged=("crack", "tire_flat"),
            report="",
            settings=AnswerSettings(),
            dentify_version="0",
        )

    return make


class Scripted:
    """Says of each photo, by its name, what it was given; findings below the threshold are left out."""

    def __init__(self, answers: Mapping[str, Assessment]) -> None:
        self.answers = answers
        self.seen: list[str] = []
        self.told: list[tuple[str, float | None, bool]] = []

    def look(self, photo: bytes, *, name: str | None = None) -> Look:
        self.seen.append(name or "")
        answer = self.answers[name or ""]
        return Look(photo=answer.photo, quality=answer.quality)

    def tell(self, look: Look, *, score_threshold: float | None = None, gates: bool = True) -> Assessment:
        self.told.append((look.photo.name, score_threshold, gates))
        answer = self.answers[look.photo.name]
        kept = tuple(finding for finding in answer.findings if finding.confidence >= (score_threshold or 0.3))
        return answer.model_copy(update={"findings": kept})


@pytest.fixture
def scripted() -> Callable[[Sequence[Assessment]], Scripted]:
    """An assessor that repeats the given assessments."""
    return lambda assessments: Scripted({assessment.photo.name: assessment for assessment in assessments})


@pytest.fixture
def make_things() -> Callable[..., Things]:
    """Things of (name, score, mask[, crowd]) tuples."""

    def make(rows: Sequence[tuple[Any, ...]], size_hw: tuple[int, int] = SIZE_HW) -> Things:
        masks = [as_mask(row[2], size_hw) for row in rows]
        return Things(
            names=tuple(row[0] for row in rows),
            boxes_xyxy=np.array([mask_to_box(mask) for mask in masks], np.float64).reshape(-1, 4),
            rles=tuple({"size": list(size_hw), "counts": rle_encode(mask).counts} for mask in masks),
            outlined=np.ones(len(rows), np.bool_),
            scores=np.array([row[1] for row in rows], np.float64),
            crowd=np.array([bool(row[3]) if len(row) > 3 else False for row in rows], np.bool_),
            severities=(None,) * len(rows),
        )

    return make
