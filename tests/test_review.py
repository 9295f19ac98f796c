"""Why a person should look again, by what was told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dentify.assessment import Presence, Quality
from dentify.bundle.manifest import ReviewRules
from dentify.languages import in_language
from dentify.review import review_reasons, several_vehicles
from placed_instances import instances

RULES = ReviewRules(sure_from=0.6)
YES, NO, HARDLY = (
    Presence(present=True, confidence=0.9),
    Presence(present=False, confidence=0.9),
    Presence(present=True, confidence=0.5),
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, [], id="all is well"),
        pytest.param({"vehicle": None, "damage": None}, [], id="not judged is no reason"),
        pytest.param({"quality": Quality(usable=False, issues=("too_dark", "blurred"))}, ["poor_quality"], id="poor photo"),
        pytest.param({"vehicle": HARDLY}, ["low_confidence"], id="hardly a vehicle"),
        pytest.param({"vehicle": Presence(present=True, confidence=0.6)}, [], id="just sure enough of the vehicle"),
        pytest.param({"damage": HARDLY}, ["low_confidence", "stages_disagree"], id="hardly damaged, and nothing to show"),
        pytest.param({"damage": Presence(present=False, confidence=0.6)}, [], id="just sure enough of no damage"),
        pytest.param({"damage": YES}, ["stages_disagree"], id="damaged without findings"),
        pytest.param({"damage": YES, "judges_findings": False}, [], id="damaged, findings not looked for"),
        pytest.param({"strongest": ("dent", 0.9)}, ["stages_disagree"], id="undamaged with a sure finding"),
        pytest.param({"strongest": ("dent", 0.6)}, ["stages_disagree"], id="undamaged with a finding just sure enough"),
        pytest.param({"strongest": ("dent", 0.5)}, [], id="undamaged with a doubtful finding"),
        pytest.param({"vehicle": NO, "damage": YES, "strongest": ("dent", 0.9)}, ["stages_disagree"], id="no vehicle but damage"),
        pytest.param({"vehicle": NO, "damage": NO, "strongest": ("dent", 0.9)}, [], id="no vehicle, and the damage gate agrees"),
        pytest.param({"vehicle": NO, "damage": HARDLY}, [], id="damage is not told where there is no vehicle"),
    ],
)
def test_reasons_for_review(given: dict[str, Any], expected: list[str]) -> None:
    usual: dict[str, Any] = {"quality": Quality(usable=True), "vehicle": YES, "damage": NO, "findings": (), "strongest": None}
    reasons = review_reasons(**(usual | given), rules=RULES)
    assert [reason.code for reason in reasons] == expected
    assert all(reason.text.endswith(".") and "\n" not in reason.text for reason in reasons)


def test_of_several_vehicles_the_largest_is_named() -> None:
    apart = instances((1.0, 0, (0, 8, 6, 8)), (1.0, 0, (12, 0, 3, 3)))
    assert several_vehicles(apart, in_language("en")) == (
        "Several vehicles are in view: parts are those of the largest one, in the lower left of the photo, "
        "and damage may lie on others."
    )
    assert several_vehicles(apart.select(np.array([0])), in_language("en")) is None
    assert several_vehicles(None, in_language("en")) is None
