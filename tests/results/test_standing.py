"""What counts as damaged, and which photo comes first."""

from __future__ import annotations

import pytest

from answers import answer, finding
from dentify.assessment import PhotoType, Presence, Review, ReviewReason, Severity
from dentify.results.standing import Tally, is_damaged, standing

YES, NO = Presence(present=True, confidence=0.95), Presence(present=False, confidence=0.95)
DISAGREE = Review(needed=True, reasons=(ReviewReason(code="stages_disagree", text="Nothing was found."),))


@pytest.mark.parametrize(
    ("fields", "damaged"),
    [
        ({"damage": YES}, True),
        ({"damage": NO, "findings": (finding(confidence=0.9),)}, False),
        ({"damage": Presence(present=True, confidence=0.4)}, False),
        ({"damage": YES, "review": DISAGREE}, False),
        ({"damage": YES, "vehicle": NO}, False),
        ({"damage": None, "findings": (finding(confidence=0.6),)}, True),
        ({"damage": None, "findings": (finding(confidence=0.4),)}, False),
        ({"damage": None, "types": (PhotoType(type="dent", confidence=0.8),)}, True),
        ({"damage": None}, False),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_damaged_is_what_the_report_calls_clearly_or_probably_damaged(fields: dict[str, object], damaged: bool) -> None:
    assert is_damaged(answer(**fields)) == damaged


def test_damaged_and_doubtful_photos_come_first_and_the_worst_of_them() -> None:
    look = Review(needed=True)
    severe, minor = Severity(level="severe", confidence=0.6), Severity(level="minor", confidence=0.6)
    answers = [
        answer("sound.jpg", damage=NO),
        answer("unsure.jpg", damage=NO, review=look),
        answer("minor.jpg", damage=YES, severity=minor),
        answer("severe.jpg", damage=YES, severity=severe),
        answer("minor and doubtful.jpg", damage=YES, severity=minor, review=look),
        answer("a.jpg", damage=NO),
    ]
    order = [one.photo.name for one in sorted(answers, key=standing)]
    assert order == ["minor and doubtful.jpg", "severe.jpg", "minor.jpg", "unsure.jpg", "a.jpg", "sound.jpg"]


def test_a_tally_counts_what_was_done_before_as_well() -> None:
    tally = Tally()
    tally.add(answer(damage=YES))
    tally.add(answer(damage=NO, review=Review(needed=True)), kept=True)
    assert tally == Tally(assessed=1, kept=1, damaged=1, to_look_at=1, failed=0)
