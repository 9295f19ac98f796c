"""How long a run will take, by a clock of the tests' own, and with networks that really take steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import Tensor

from dentify.planning import Checked
from dentify.planning.times import Stretch
from dentify.training import timed_seconds, timing
from toy_bench import ToyNetwork, ToyRecipe, toy_recipe


@pytest.fixture
def steps_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lets a step of two pictures take 6 s and 2 s for each 1,000 pixels; sides of those that were timed."""
    sides: list[int] = []

    def seconds(learner: object, number: int, batch: dict[str, Tensor]) -> float:
        assert len(batch["image"]) == 2
        sides.append(batch["image"].shape[1])
        return 6 + 2 * sides[-1] ** 2 / 1000

    monkeypatch.setattr(timing, "_least_seconds", seconds)
    return sides


def counted(*stretches: Stretch, taught: int = 0, looked_at: int = 0) -> Checked:
    return Checked([], stretches=stretches, taught=taught, looked_at=looked_at)


def test_each_phase_costs_its_pictures_at_its_size(steps_of: list[int]) -> None:
    recipe = toy_recipe(phases=[{"steps": 10, "size": 320}, {"steps": 5, "size": 416, "rate": "falls"}])
    seconds = timed_seconds(recipe, counted(Stretch(10, 4, 320), Stretch(5, 4, 416)), device="cpu")
    assert seconds == pytest.approx(10 * 4 * (3 + 102.4) + 5 * 4 * (3 + 173.056))
    assert steps_of == [96, 192]  # once for both


def test_phases_that_teach_other_parts_are_timed_anew(steps_of: list[int]) -> None:
    recipe = toy_recipe(phases=[{"steps": 1, "size": 320, "train": ["answers"]}, {"steps": 1, "size": 320}])
    timed_seconds(recipe, counted(Stretch(1, 1, 320), Stretch(1, 1, 320)), device="cpu")
    assert steps_of == [96, 192, 96, 192]


def test_small_pictures_are_timed_as_they_are(steps_of: list[int]) -> None:
    recipe = toy_recipe(phases=[{"steps": 1, "size": 64}])
    seconds = timed_seconds(recipe, counted(Stretch(1, 3, 64)), device="cpu")
    assert (steps_of, seconds) == ([64], pytest.approx(3 * (3 + 4.096)))


def test_a_look_at_val_is_a_third_of_a_step(steps_of: list[int]) -> None:
    recipe = toy_recipe(phases=[{"steps": 1, "size": 320}], data=toy_recipe().data.model_dump() | {"serve_size": 448})
    seconds = timed_seconds(recipe, counted(Stretch(0, 0, 320), looked_at=30), device="cpu")
    assert seconds == pytest.approx(30 / 3 * (3 + 200.704))


def test_features_that_are_kept_cost_each_photo_once(steps_of: list[int]) -> None:
    phase = {"steps": 1000, "size": 320, "train": ["head"], "bottleneck": True}
    recipe = toy_recipe(phases=[phase], model=HeadedRecipe())
    assert timed_seconds(recipe, counted(Stretch(1000, 4, 320), taught=7), device="cpu") == pytest.approx(7 * (3 + 102.4))


class HeadedRecipe(ToyRecipe):
    """Whose answers are called a head."""

    def build(self, outputs: Any, root: Any) -> Any:
        return HeadedNetwork(self, outputs)


class HeadedNetwork(ToyNetwork):
    def parts(self) -> Any:
        parts = super().parts()
        return {**{name: parts[name] for name in parts if name != "answers"}, "head": parts["answers"]}


@pytest.mark.parametrize(("each", "taken"), [(0.1, 3), (1.5, 2), (5.0, 1)], ids=["quick", "slow", "very slow"])
def test_the_least_of_a_few_steps_counts_and_of_slow_networks_the_first(
    monkeypatch: pytest.MonkeyPatch, each: float, taken: int
) -> None:
    now, steps = [0.0], [0]

    def take(number: int, batch: object) -> None:
        steps[0] += 1
        now[0] += each + (0.05 if steps[0] == 1 else 0.0)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    seconds = timing._least_seconds(SimpleNamespace(take=take), 0, {})  # type: ignore[arg-type]
    assert (steps[0], seconds) == (taken, pytest.approx(each + (0.05 if taken == 1 else 0.0)))


def test_a_network_that_takes_longer_is_told_to() -> None:
    checked = counted(Stretch(10, 4, 256))
    phases = [{"steps": 10, "size": 256, "precision": "32"}]
    narrow, wide = (
        timed_seconds(toy_recipe(phases=phases, model=ToyRecipe(width=width)), checked, device="cpu") for width in (4, 128)
    )
    assert 0 < 3 * narrow < wide
