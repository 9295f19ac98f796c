"""Damage types of photos as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from dentify.bundle.manifest import TypesCalibration
from dentify.fitting.photo_types import Types, fit_types
from dentify.runtime.probabilities import sigmoid


def logits_and_answers(count: int, *, of: float = 1.0) -> list[tuple[np.ndarray, tuple[bool | None, ...]]]:
    """Views of two types: logits are right three times of four, and `of` times too large."""
    rng = np.random.default_rng(0)
    seen: list[tuple[np.ndarray, tuple[bool | None, ...]]] = []
    for number in range(count):
        shown = number % 2 == 0
        sign = (1 if shown else -1) * (1 if rng.random() < 0.75 else -1)
        seen.append((np.float32([sign * of, -sign * of]), (shown, not shown)))
    return seen


class TestTypes:
    """Of photos as a whole."""

    @pytest.mark.parametrize("of", [1.0, 10.0])
    def test_of_independent_ones_confidences_are_as_often_right_as_they_say(self, of: float) -> None:
        own = Types(TypesCalibration(), {"dent": 0.5, "scratch": 0.5})
        notes: list[str] = []
        fitted = fit_types(logits_and_answers(400, of=of), own, ("dent", "scratch"), notes)
        assert sigmoid(np.array(of / fitted.calibration.temperature)) == pytest.approx(0.75, abs=0.05)
        assert notes == []

    def test_one_threshold_for_all_becomes_one_each(self) -> None:
        each = Types(TypesCalibration(), {"dent": 0.5, "scratch": 0.5})
        for_all = Types(TypesCalibration(), 0.5)
        seen = logits_and_answers(400)
        assert fit_types(seen, for_all, ("dent", "scratch"), []) == fit_types(seen, each, ("dent", "scratch"), [])

    def test_of_exclusive_ones_too(self) -> None:
        own = Types(TypesCalibration(exclusive=True), 0.5)
        fitted = fit_types(logits_and_answers(400, of=5.0), own, ("dent", "scratch"), [])
        assert fitted.calibration.exclusive
        assert fitted.thresholds == 0.5
        assert sigmoid(np.array(2 * 5.0 / fitted.calibration.temperature)) == pytest.approx(0.75, abs=0.05)

    @pytest.mark.parametrize(("exclusive", "told"), [(True, "types stay: 5 photos"), (False, "dent of a photo as a whole keeps")])
    def test_too_few_photos_change_nothing_and_it_is_said(self, exclusive: bool, told: str) -> None:
        own = Types(TypesCalibration(exclusive=exclusive), 0.5 if exclusive else {"dent": 0.5, "scratch": 0.5})
        notes: list[str] = []
        assert fit_types(logits_and_answers(10), own, ("dent", "scratch"), notes) is own
        assert notes[0].startswith(told)

    def test_what_nobody_said_teaches_nothing(self) -> None:
        own = Types(TypesCalibration(exclusive=True), 0.5)
        unknown: list[tuple[np.ndarray, tuple[bool | None, ...]]] = [(np.float32([9, 0]), (True, None))] * 100
        assert fit_types(unknown, own, ("dent", "scratch"), []) is own
