"""Gates, fitted to logits beside the right answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dentify.bundle.manifest import GateCalibration
from dentify.fitting.gates import Gate, fit_gate_of, passes
from dentify.fitting.seeing import CLOSE_UP_WEIGHT, Asked
from seen_dents import evidence


def answers(yes: int, no: int, *, weight: float = 1.0) -> list[Asked]:
    """Photos, each seen twice."""
    return [Asked("damage", 2.0, True, weight)] * 2 * yes + [Asked("damage", -1.0, False, weight)] * 2 * no


def test_a_gate_needs_both_answers_from_whole_photos() -> None:
    own = Gate(GateCalibration(temperature=2.0), 0.3)
    notes: list[str] = []
    assert fit_gate_of("damage", own, answers(10, 9) + answers(0, 9, weight=0.25), notes) is own
    assert notes == ["the damage gate stays: 10 photos with damage and 9 without, it takes 10 of either"]
    assert fit_gate_of("damage", own, answers(10, 10), notes) != own
    assert len(notes) == 1


def test_of_good_thresholds_the_vehicle_gate_takes_the_strictest_and_the_damage_gate_the_middle() -> None:
    def threshold(gate: str) -> float:
        asked = [replace(one, gate=gate) for one in answers(20, 20)]
        return fit_gate_of(gate, Gate(GateCalibration(), 0.5), asked, []).threshold

    assert threshold("vehicle") == 0.95  # photos of either answer are far apart, so everything between is as good
    assert 0.4 < threshold("damage") < 0.6


def test_a_gate_that_guesses_is_not_fitted_to_turn_all_away() -> None:
    own = Gate(GateCalibration(), 0.5)
    guesses = [Asked("damage", 2.0, answer, 1.0) for answer in (True, False)] * 20
    notes: list[str] = []
    assert fit_gate_of("damage", own, guesses, notes) is own
    assert notes == ["the damage gate stays: it tells these photos apart hardly better than chance"]


@pytest.mark.parametrize("towards", [-1.0, 0.0], ids=["the opposite", "nothing"])
def test_a_gate_that_knows_nothing_or_the_opposite_stays(towards: float) -> None:
    """The best temperature of such logits is without end."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        asked = [
            Asked("damage", float(rng.normal(towards if answer else -towards, 0.5)), answer, 1.0) for answer in (True, False) * 40
        ]
        notes: list[str] = []
        own = Gate(GateCalibration(), 0.5)
        fitted = fit_gate_of("damage", own, asked, notes)
        assert fitted is own or towards == 0.0
        assert bool(notes) == (fitted is own)


def test_close_ups_weigh_less_in_a_gate() -> None:
    own = Gate(GateCalibration(), 0.5)
    hard = [Asked("damage", 1.5, False, 1.0)] * 30
    light = [replace(one, weight=CLOSE_UP_WEIGHT) for one in hard]
    heavy_gate, light_gate = (fit_gate_of("damage", own, answers(20, 20) + some, []) for some in (hard, light))
    assert light_gate.calibration.bias > heavy_gate.calibration.bias


def test_close_ups_move_a_gates_threshold_by_their_weight_only() -> None:
    """Sixty sound close-ups look damaged; in full they would outweigh a tenth of the damaged photos."""
    own = Gate(GateCalibration(), 0.5)
    faint = [Asked("damage", 0.5, True, 1.0)] * 6
    whole = answers(20, 20) + faint

    def turned_away(weight: float) -> bool:
        close_ups = [Asked("damage", 0.5, False, weight)] * 12
        return not fit_gate_of("damage", own, whole + close_ups, []).lets_through(0.5)

    assert turned_away(1.0)
    assert not turned_away(CLOSE_UP_WEIGHT)


def test_a_source_with_most_photos_does_not_decide_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 900 sound photos of one yard all are told apart from damaged ones at 0; of 100 of streets none is below 1."""
    monkeypatch.setattr("dentify.fitting.gates.EVEN_CHANCE", 1.0)
    damaged = [Asked("damage", 2.0, True, 1.0, "garage")] * 100 + [Asked("damage", 0.5, True, 1.0, "garage")] * 20
    yard = [Asked("damage", -2.0, False, 1.0, "yard")] * 900
    street = [Asked("damage", 1.0, False, 1.0, "street")] * 100
    own = Gate(GateCalibration(), 0.5)
    asked = [*damaged, *yard, *street]
    by_source = fit_gate_of("damage", own, asked, [])
    together = fit_gate_of("damage", own, [replace(one, source="one") for one in asked], [])
    assert not by_source.lets_through(1.0)
    assert together.lets_through(1.0)


def test_what_is_likelier_than_not_is_told_as_damaged() -> None:
    """Whatever threshold would make fewer mistakes on these photos, of which the sound ones reach far up."""
    damaged = [Asked("damage", 3.0, True, 1.0, "garage")] * 100
    sound = [Asked("damage", logit, False, 1.0, "street") for logit in (-3.0, -2.0, 1.5, 1.9) for _ in range(25)]
    gate = fit_gate_of("damage", Gate(GateCalibration(), 0.9), [*damaged, *sound], [])
    assert gate.threshold == 0.5


def test_a_photo_passes_where_every_gate_that_there_is_lets_it() -> None:
    seen = evidence(seen=[(8, 8)])  # logits of 3
    low, high = Gate(GateCalibration(), 0.9), Gate(GateCalibration(), 0.99)
    assert passes(seen, {"vehicle": low, "damage": low})
    assert not passes(seen, {"vehicle": low, "damage": high})
    assert passes(replace(seen, gates={}), {})
