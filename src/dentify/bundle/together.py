"""Whether bundles can answer a role together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

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
    for one in given:
        if not one.members:
            answers = ", ".join(name for name, members in one.bundle.manifest.roles if members) or "nothing"
            raise BundleError(
                f"{where}: roles.{role}: {one.bundle.where} has no {role}, it answers {answers}; name another bundle"
            )
    first, *others = given
    if not others:
        return
    seen = {first.bundle.sha256: first}
    for other in others:
        if twin := seen.get(other.bundle.sha256):
            raise BundleError(
                f"{where}: roles.{role}: {other.bundle.where} is {twin.bundle.where} again; name it once, with a weight"
            )
        seen[other.bundle.sha256] = other
        for what, ours, theirs in _must_agree(first, other):
            if ours != theirs:
                raise BundleError(
                    f"{where}: roles.{role}: {first.bundle.where} and {other.bundle.where} cannot answer together: "
                    f"{what} {_told(ours)} and {_told(theirs)}; name one of them"
                )
    _check_grids(role, given, where)


def _must_agree(one: Given, other: Given) -> Iterator[tuple[str, Any, Any]]:
    """What must be the same of two bundles in a role, in words and as they have it."""
    role, ours, theirs = one.role, one.bundle.manifest, other.bundle.manifest
    yield "kinds are", sorted({member.kind for member in one.members}), sorted({member.kind for member in other.members})
    if role in Classes.model_fields:
        yield "classes are", list(getattr(ours.classes, role)), list(getattr(theirs.classes, role))
    if role in ("damage", "types"):  # what one tells as not judged, the other does not know by name
        yield "damage types are", sorted(ours.taxonomy.damage_types), sorted(theirs.taxonomy.damage_types)
    if role == "types":
        yield "types exclude each other:", ours.calibration.types.exclusive, theirs.calibration.types.exclusive
    if role == "damage":
        yield "auxiliary outputs are", sorted(one.members[0].auxiliary), sorted(other.members[0].auxiliary)


def _check_grids(role: str, given: Sequence[Given], where: str) -> None:
    """Makes sure that maps which are averaged lie on one grid over the photo, as far as files say their sizes."""
    seen: dict[str, tuple[Bundle, Shape, Preprocessing]] = {}  # by auxiliary key, "" for the main maps
    for one in given:
        for member in one.members:
            if member.kind != "maps":
                continue
            outputs = inspect_onnx(one.bundle.files[member.file], where=f"{one.bundle.where}/{member.file}").outputs
            preprocessing = one.bundle.manifest.network_of(member.file).preprocessing
            for key, output in {"": member.output, **member.auxiliary}.items():
                grid = outputs[output][2:]
                bundle, other, others = seen.setdefault(key, (one.bundle, grid, preprocessing))
                both = (
                    f"{where}: roles.{role}: {bundle.where} and {one.bundle.where} cannot answer together: their {key or 'maps'}"
                )
                if not shapes_agree(grid, other):
                    raise BundleError(f"{both} have grids of {_size(other)} and {_size(grid)} cells; name one of them")
                if _lies(preprocessing) != _lies(others):
                    raise BundleError(
                        f"{both} lie on the photo in two ways, {_told(_lies(others))} and {_told(_lies(preprocessing))}; name one"
                    )


def _lies(preprocessing: Preprocessing) -> list[str]:
    """What decides where cells of maps lie on a photo: stretched ones cover it whatever their network's input measures."""
    return [preprocessing.resize, *([_size(preprocessing.size_hw)] if preprocessing.resize == "letterbox" else [])]


def _size(hw: Sequence[int | None]) -> str:
    return " × ".join("any" if side is None else str(side) for side in hw)


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "none"
