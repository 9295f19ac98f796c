"""Short ways to write the fields of an assessment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dentify.assessment import (
    Finding,
    FoundPart,
    Mask,
    PartOfFinding,
    Photo,
    Presence,
    Quality,
    Review,
    ReviewReason,
    Severity,
)
from dentify.report import as_text, report_lines

PHOTO = Photo(name="a.jpg", sha256="0" * 64, width=900, height=600)
MASK = Mask(size=(600, 900), counts="0")


@pytest.fixture
def finding() -> Callable[..., Finding]:
    """`finding("dent", 0.9, on={"hood": 0.1})`: a clearly minor dent that covers a tenth of the hood, in a 900 × 600 photo."""

    def make(
        type_name: str,
        confidence: float = 0.9,
        *,
        on: dict[str, float] | None = None,
        sure_of_part: float = 0.9,
        split: tuple[float, ...] = (),
        severity: tuple[str, float] | None = ("minor", 0.9),
        box: tuple[float, float, float, float] = (400.0, 250.0, 500.0, 350.0),
        area_share: float = 0.02,
        mask: Mask | None = MASK,
        number: int = 1,
    ) -> Finding:
        names = list(on or {})
        shares = split or tuple(1 / len(names) for _ in names)
        return Finding(
            id=number,
            type=type_name,
            confidence=confidence,
            box=box,
            mask=mask,
            area_share=area_share,
            parts=tuple(
                PartOfFinding(name=name, confidence=sure_of_part, share_of_finding=share, share_of_part=(on or {})[name])
                for name, share in zip(names, shares, strict=True)
            ),
            severity=None if severity is None else Severity.model_validate({"level": severity[0], "confidence": severity[1]}),
        )

    return make


@pytest.fixture
def report() -> Callable[..., str]:
    """`report(findings=[…])`: the report of a clearly damaged vehicle whose hood is in view, other fields as given."""

    def write(*, verbose: bool = False, **fields: Any) -> str:
        given: dict[str, Any] = {
            "photo": PHOTO,
            "quality": Quality(usable=True),
            "vehicle": Presence(present=True, confidence=0.99),
            "damage": Presence(present=True, confidence=0.95),
            "findings": [],
            "parts": [FoundPart(name="hood", confidence=0.95, box=(0, 0, 900, 300), mask=None)],
            "severity": None,
            "review": Review(needed=False),
            "not_judged": [],
            "notes": [],
        }
        return as_text(report_lines(**(given | fields)), verbose=verbose)

    return write


@pytest.fixture
def reasons() -> Callable[..., Review]:
    """`reasons(low_confidence=[1, 2], poor_quality="The photo is blurred.")`: of findings by id, or of the photo by a text."""

    def make(**about: list[int] | str) -> Review:
        made = []
        for code, what in about.items():
            rows = [(None, what)] if isinstance(what, str) else [(number, "…") for number in what]
            made += [ReviewReason.model_validate({"code": code, "finding": number, "text": text}) for number, text in rows]
        return Review(needed=True, reasons=tuple(made))

    return make
