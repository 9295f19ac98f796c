"""Whether bundles can answer a role together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import cast

from dentify.bundle.manifest import Classes, Members, Preprocessing, shapes_agree
from dentify.bundle.onnx_bytes import Shape, inspect_onnx
from dentify.bundle.open import Bundle
from dentify.errors import BundleError


@dataclass(frozen=True)
class Given:
    """A bundle in a role, with what it weighs there."""

    role: str
    bundle: Bundle
    weight: float

    @property
    def members(self) -> Members:
        """Its own, of that role."""
        return cast("Members", getattr(self.bundle.manifest.roles, self.role))


def check_together(role: str, given: Sequence[Given], where: str) -> None:
    """Makes sure that bundles can answer a role together.

    Raises:
        BundleError: one does not answer it, or two do not agree.
    """
    for each in given:
        if not each.members:
            answers = ", ".join(name for name, members in each.bundle.manifest.roles if members) or "nothing"
            raise BundleError(
                f"{where}: roles.{role}: {each.bundle.where} has no {role}, it answers {answers}; name another bundle"
            )
    for one, other in combinations([each.bundle for each in given], 2):
        if one.sha256 == other.sha256:
            raise BundleError(f"{where}: roles.{role}: {other.where} is {one.where} again; name it once, with a weight")
        if told := disagreement(role, one, other):
            raise BundleError(
                f"{where}: roles.{role}: {one.where} and {other.where} cannot answer together: {told}; name one of them"
            )


def disagreement(role: str, one: Bundle, other: Bundle) -> str:
    """Why two bundles cannot answer a role together, as what of them differs; empty where they can."""
    ours, theirs = one.manifest, other.manifest
    members: tuple[Members, Members] = getattr(ours.roles, role), getattr(theirs.roles, role)
    kinds = [sorted({member.kind for member in of_one}) for of_one in members]
    if kinds[0] != kinds[1] and "labels" in (*kinds[0], *kinds[1]):  # what maps find and what is told one by one is fused
        return f"kinds are {_told(kinds[0])} and {_told(kinds[1])}"
    if role in Classes.model_fields and (told := _difference(one, other, *(getattr(of.classes, role) for of in (ours, theirs)))):
        return f"classes differ: {told}"
    if role in ("damage", "types"):  # what one tells as not judged, the other does not know by name
        known = [sorted(of.taxonomy.damage_types) for of in (ours, theirs)]
        if told := _difference(one, other, *known):
            return f"damage types differ: {told}"
    if role == "types" and ours.calibration.types.exclusive != theirs.calibration.types.exclusive:
        first, second = (_told(of.calibration.types.exclusive) for of in (ours, theirs))
        return f"types exclude each other: {first} and {second}"
    if role == "damage":
        maps = [[member for member in of_one if member.kind == "maps"] for of_one in members]
        auxiliary = [sorted({key for member in of_one for key in member.auxiliary}) for of_one in maps]
        if all(maps) and (told := _difference(one, other, *auxiliary)):
            return f"auxiliary outputs differ: {told}"
    return ""


def _difference(one: Bundle, other: Bundle, ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Which names only one of two bundles has, or that their order is another; empty where names are the same."""
    if list(ours) == list(theirs):
        return ""
    alone = ((one, [name for name in ours if name not in theirs]), (other, [name for name in theirs if name not in ours]))
    told = [f"only {bundle.where} names {', '.join(names)}" for bundle, names in alone if names]
    return " and ".join(told) or f"their order is {_told(ours)} and {_told(theirs)}"


def grids_differ(given: Sequence[Given]) -> bool:
    """Whether maps which become one lie on several grids over a photo, as far as files say their sizes."""
    seen: dict[str, tuple[Shape, list[str]]] = {}  # by auxiliary key, "" for the main maps
    for one in given:
        for member in one.members:
            if member.kind != "maps":
                continue
            outputs = inspect_onnx(one.bundle.files[member.file], where=f"{one.bundle.where}/{member.file}").outputs
            lies = _lies(one.bundle.manifest.network_of(member.file).preprocessing)
            for key, output in {"": member.output, **member.auxiliary}.items():
                grid, others = seen.setdefault(key, (outputs[output][2:], lies))
                if not shapes_agree(outputs[output][2:], grid) or lies != others:
                    return True
    return False


def _lies(preprocessing: Preprocessing) -> list[str]:
    """What decides where cells of maps lie on a photo: stretched ones cover it whatever their network's input measures."""
    return [preprocessing.resize, *([_size(preprocessing.size_hw)] if preprocessing.resize == "letterbox" else [])]


def _size(hw: Sequence[int | None]) -> str:
    return " × ".join("any" if side is None else str(side) for side in hw)


def _told(value: bool | Sequence[str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "none"
