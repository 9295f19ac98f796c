"""From what networks say to `Instances`: one branch for each kind of member, and for maps one function a role."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dentify.bundle.manifest import Manifest, Members
from dentify.runtime.damage_maps import find_damage
from dentify.runtime.fusion import fuse
from dentify.runtime.instances import Instances
from dentify.runtime.networks import Answers, WeightedTable
from dentify.runtime.part_maps import find_parts
from dentify.runtime.tables import find_in_table
from dentify.runtime.vehicle_maps import find_vehicles


def damage_instances(answers: Answers, manifest: Manifest, photo_hw: tuple[int, int]) -> Instances | None:
    """The damages that a bundle's networks found, with raw scores; `None` where it has no such role."""

    def of_maps() -> Instances:
        assert answers.types is not None
        return find_damage(answers.types, answers.auxiliary, manifest.grouping, photo_hw)

    return _of_all_kinds(manifest.roles.damage, of_maps, answers.damage_tables, photo_hw)


def part_instances(answers: Answers, manifest: Manifest, photo_hw: tuple[int, int]) -> Instances | None:
    """The parts that a bundle's networks found, with raw scores; `None` where it has no such role."""

    def of_maps() -> Instances:
        assert answers.parts is not None
        return find_parts(answers.parts, manifest.classes.parts, manifest.grouping, photo_hw)

    return _of_all_kinds(manifest.roles.parts, of_maps, answers.part_tables, photo_hw)


def _of_all_kinds(
    members: Members, of_maps: Callable[[], Instances], tables: Sequence[WeightedTable], photo_hw: tuple[int, int]
) -> Instances | None:
    """What a role's members found, fused where they are of several kinds or find instances themselves.

    Maps became one before: they find things together, and weigh what their members do.
    """
    found: list[tuple[float, Instances]] = []
    if maps := [member.weight for member in members if member.kind == "maps"]:
        found.append((sum(maps), of_maps()))
    found += [(weight, find_in_table(table, photo_hw)) for weight, table in tables]
    return fuse([one for _, one in found], [weight for weight, _ in found]) if found else None


def vehicle_instances(answers: Answers, photo_hw: tuple[int, int]) -> Instances | None:
    """The vehicles that stand apart; `None` where the networks do not tell where vehicles are."""
    outline = answers.auxiliary.get("vehicle")
    return None if outline is None else find_vehicles(outline, photo_hw)
