"""From what networks say to `Instances`: for each role one function, and in it one branch for each kind of member."""

from __future__ import annotations

from dentify.bundle.manifest import Manifest
from dentify.runtime.damage_maps import find_damage
from dentify.runtime.instances import Instances
from dentify.runtime.networks import Answers
from dentify.runtime.part_maps import find_parts
from dentify.runtime.tables import find_in_table
from dentify.runtime.vehicle_maps import find_vehicles


def damage_instances(answers: Answers, manifest: Manifest, photo_hw: tuple[int, int]) -> Instances | None:
    """The damages that a bundle's networks found, with raw scores; `None` where it has no such role."""
    if not manifest.roles.damage:
        return None
    match kind := manifest.roles.damage[0].kind:
        case "maps":
            assert answers.types is not None
            return find_damage(answers.types, answers.auxiliary, manifest.grouping, photo_hw)
        case "instances":
            assert answers.damage_table is not None
            return find_in_table(answers.damage_table, photo_hw)
        case _:
            raise AssertionError(f"opening lets no damage of kind {kind!r} through")


def part_instances(answers: Answers, manifest: Manifest, photo_hw: tuple[int, int]) -> Instances | None:
    """The parts that a bundle's networks found, with raw scores; `None` where it has no such role."""
    if not manifest.roles.parts:
        return None
    match kind := manifest.roles.parts[0].kind:
        case "maps":
            assert answers.parts is not None
            return find_parts(answers.parts, manifest.classes.parts, manifest.grouping, photo_hw)
        case "instances":
            assert answers.part_table is not None
            return find_in_table(answers.part_table, photo_hw)
        case _:
            raise AssertionError(f"opening lets no parts of kind {kind!r} through")


def vehicle_instances(answers: Answers, photo_hw: tuple[int, int]) -> Instances | None:
    """The vehicles that stand apart; `None` where the networks do not tell where vehicles are."""
    outline = answers.auxiliary.get("vehicle")
    return None if outline is None else find_vehicles(outline, photo_hw)
