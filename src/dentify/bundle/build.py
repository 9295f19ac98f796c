"""One bundle of members of several: who answers which question stands in a YAML file.

    name: my-bundle
    version: 1.0.0
    roles:
      vehicle_gate: [vgg16-gate]                          # folders or zips, relative to the file; default is the shipped one
      damage_gate: [default, {bundle: resnet50, weight: 2}]
      damage: [default]

    built = build_bundle(Path("roles.yaml"))
    write_bundle("my-bundle", built.manifest, built.files)

A role that is not named is left out, and not judged. What belongs to a role (classes, thresholds, calibration, grouping) comes
with its members. Several bundles in one role are an ensemble, and none of their thresholds was made for it: those of the bundle
that weighs most are kept, and a note says to fit the new one. `combine: {damage: vote}` lets a role's maps vote.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast, get_args

from pydantic import Field, ValidationError, model_validator

from dentify.bundle.manifest import (
    Calibration,
    Classes,
    Combine,
    FileName,
    Grouping,
    Manifest,
    MapsRole,
    Member,
    Members,
    Metric,
    Name,
    Network,
    Preprocessing,
    ReviewRules,
    RoleName,
    Roles,
    Taxonomy,
    Thresholds,
    Views,
    shapes_agree,
)
from dentify.bundle.onnx_bytes import Shape, inspect_onnx
from dentify.bundle.open import DEFAULT, Bundle, check_total
from dentify.errors import BundleError, ConfigError, MissingExtraError, printable
from dentify.plain_yaml import load_yaml
from dentify.settings import Settings
from dentify.strict import Strict, explain

_MAX_PLAN_BYTES = 2**20
_LONGEST_LICENCE = 200  # of a manifest's
_LONGEST_STEM = 60  # of a bundle's and of a file's name, where the two make a new one


class Source(Strict):
    """A bundle that gives its members of a role; a bare path is one of weight 1."""

    bundle: str = Field(min_length=1)
    weight: float = Field(1.0, gt=0, description="of all its members of the role together, beside the other bundles")

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, given: Any) -> Any:
        return {"bundle": given} if isinstance(given, str) else given


Sources = list[Source]


class RoleSources(Strict):
    """The bundles that answer each question."""

    vehicle_gate: Sources = Field([])
    damage_gate: Sources = Field([])
    types: Sources = Field([])
    damage: Sources = Field([])
    parts: Sources = Field([])
    severity: Sources = Field([])


class BuildPlan(Strict):
    """All of the YAML file."""

    name: Name
    version: Name
    licence: Name | None = Field(None, description="of the new bundle; those of the bundles it is made of are named beside it")
    description: str | None = None
    roles: RoleSources
    combine: dict[MapsRole, Combine] = Field({}, description="how the maps of several bundles become one; mean where left out")
    views: dict[RoleName, Views] = Field({}, description="how else networks see a photo; as the bundle that weighs most says")


@dataclass(frozen=True)
class Built:
    """A bundle that is ready to be written.

    Attributes:
        manifest: all but its list of files.
        files: bytes by name.
        notes: what its user should know; the manifest has them, too.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Given:
    """A bundle in a role, with what it weighs there."""

    role: str
    bundle: Bundle
    weight: float

    @property
    def members(self) -> Members:
        return cast("Members", getattr(self.bundle.manifest.roles, self.role))


def read_plan(path: Path) -> BuildPlan:
    """Which bundle answers what, from a YAML file.

    Raises:
        ConfigError: it cannot be read, is not YAML, a key is unknown (the nearest known one is named) or a value does not fit.
        MissingExtraError: pyyaml is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError(what="Reading YAML", extra="data") from error
    where = printable(str(path))
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_PLAN_BYTES + 1)
        if len(text) > _MAX_PLAN_BYTES:
            raise ConfigError(f"{where}: over the limit of {_MAX_PLAN_BYTES:,} bytes; give the YAML file that names the roles")
        document = load_yaml(text.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or too many aliases
        raise ConfigError(f"{where}: is not YAML: {printable(' '.join(str(error).split())[:200])}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{where}: must hold keys and values (name, version, roles), got a {type(document).__name__}")
    try:
        return BuildPlan.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain(error, BuildPlan)}") from error


def build_bundle(path: Path, *, settings: Settings | None = None) -> Built:
    """The bundle that a YAML file asks for.

    Args:
        path: the file; the bundles that it names are looked for beside it.
        settings: where the limit on a bundle's size stands.

    Raises:
        BundleError: a bundle cannot be opened, has no such role, or does not go together with another of its role.
        ConfigError: the file is wrong; see `read_plan`.
        MissingExtraError: pyyaml is not installed.
    """
    plan, settings = read_plan(path), settings or Settings()
    try:
        return combine(plan, path.parent, where=str(path), settings=settings)
    except (BundleError, ConfigError) as error:  # names within bundles may be anything
        raise type(error)(printable(str(error))) from error


def combine(
    plan: BuildPlan, folder: Path, *, where: str, settings: Settings, opened: Mapping[str, Bundle] | None = None
) -> Built:
    """The bundle that a plan asks for.

    Args:
        plan: who answers what.
        folder: what the paths in it are relative to.
        where: what error messages call the plan.
        settings: where the limit on a bundle's size stands.
        opened: bundles that are open already, by the names that the plan has for them.

    Raises:
        BundleError: a bundle cannot be opened, has no such role, or does not go together with another of its role.
        ConfigError: no role has a bundle, or one that says how its maps become one has no more than one.
    """
    known = dict(opened or {})

    def open_once(name: str) -> Bundle:
        if name not in known:
            known[name] = Bundle.open(DEFAULT if name == DEFAULT else folder / name, settings=settings)
        return known[name]

    by_role = {
        role: [_Given(role, open_once(source.bundle), source.weight) for source in sources]
        for role, sources in plan.roles
        if sources
    }
    if not by_role:
        raise ConfigError(f"{where}: roles names no bundle; say for one role at least who answers it")
    for role, given in by_role.items():
        _check_together(role, given, where)
    bundles = list({one.bundle.sha256: one.bundle for given in by_role.values() for one in given}.values())
    names = names_of(bundles)
    notes = tuple(_notes(by_role, bundles, names))

    files = _Files(bundles)
    networks: dict[str, Network] = {}
    members: dict[str, Members] = {}
    for role, given in by_role.items():
        members[role] = tuple(
            member.model_copy(
                update={
                    "file": files.network(one.bundle, member.file, networks),
                    "weight": _weight(member, one, alone=len(given) == 1),
                }
            )
            for one in given
            for member in one.members
        )
    files.take_others()
    check_total(sum(len(data) for data in files.contents.values()), where, settings)
    try:
        manifest = Manifest(
            name=plan.name,
            version=plan.version,
            licence=_licence(plan, bundles, where),
            description=plan.description or _description(by_role, bundles, names),
            taxonomy=_taxonomy(by_role, bundles),
            networks=tuple(networks.values()),
            roles=Roles(**members),
            combine=_combined(plan.combine, by_role, where),
            views=_views(by_role) | plan.views,
            **_settings_of_roles(by_role, bundles),
            metrics=_metrics(bundles, names),
            data=tuple(dict.fromkeys(row for bundle in bundles for row in bundle.manifest.data)),
            weights=tuple(dict.fromkeys(row for bundle in bundles for row in bundle.manifest.weights)),
            limits=_told_by(bundles, names, "limits"),
            notes=(*_told_by(bundles, names, "notes"), *files.origins(names), *notes),
        )
    except ValidationError as error:
        raise BundleError(f"{where}: these bundles make no bundle together: {explain(error, Manifest)}") from error
    return Built(manifest, files.contents, notes)


def _check_together(role: str, given: Sequence[_Given], where: str) -> None:
    """Makes sure that bundles can answer a role together."""
    for one in given:
        if not one.members:
            answers = ", ".join(name for name, members in one.bundle.manifest.roles if members) or "nothing"
            raise BundleError(
                f"{where}: roles.{role}: {one.bundle.where} has no {role}, it answers {answers}; name another bundle"
            )
    first, *others = given
    seen = {first.bundle.sha256: first}
    for other in others:
        if twin := seen.get(other.bundle.sha256):
            raise BundleError(
                f"{where}: roles.{role}: {other.bundle.where} is {twin.bundle.where} again; name it once, with a weight"
            )
        seen[other.bundle.sha256] = other
        if told := disagreement(role, first.bundle, other.bundle):
            raise BundleError(
                f"{where}: roles.{role}: {first.bundle.where} and {other.bundle.where} cannot answer together: {told}; "
                "name one of them"
            )


def disagreement(role: str, one: Bundle, other: Bundle) -> str:
    """Why two bundles cannot answer a role together, as what of them differs; empty where they can."""
    ours, theirs = one.manifest, other.manifest
    members: tuple[Members, Members] = getattr(ours.roles, role), getattr(theirs.roles, role)
    kinds = [sorted({member.kind for member in of_one}) for of_one in members]
    if kinds[0] != kinds[1]:
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
        auxiliary = [sorted(of_one[0].auxiliary) for of_one in members]
        if told := _difference(one, other, *auxiliary):
            return f"auxiliary outputs differ: {told}"
    return ""


def _difference(one: Bundle, other: Bundle, ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Which names only one of two bundles has, or that their order is another; empty where names are the same."""
    if list(ours) == list(theirs):
        return ""
    alone = ((one, [name for name in ours if name not in theirs]), (other, [name for name in theirs if name not in ours]))
    told = [f"only {bundle.where} names {', '.join(names)}" for bundle, names in alone if names]
    return " and ".join(told) or f"their order is {_told(ours)} and {_told(theirs)}"


def _combined(wanted: Mapping[MapsRole, Combine], by_role: Mapping[str, Sequence[_Given]], where: str) -> dict[MapsRole, Combine]:
    """How the maps of each role become one; named where that is not the mean of one grid, which all of Dentify knows."""
    combined: dict[MapsRole, Combine] = {}
    role: MapsRole
    for role in get_args(MapsRole):
        given = by_role.get(role, ())
        maps = [(one, [member for member in one.members if member.kind == "maps"]) for one in given]
        if role in wanted and sum(bool(members) for _, members in maps) < 2:
            raise ConfigError(
                f"{where}: combine.{role} says how several maps become one; roles.{role} has fewer than two bundles of maps"
            )
        for one, members in maps:
            own = one.bundle.manifest.combine.get(role, "mean")
            if len(given) == 1 and role in one.bundle.manifest.combine:
                combined[role] = own
            elif len(given) > 1 and len(members) > 1 and own != wanted.get(role, "mean"):
                raise BundleError(
                    f"{where}: roles.{role}: {one.bundle.where} is an ensemble by {own} itself; name what it is made of"
                )
        if len(given) > 1 and (role in wanted or _grids_differ(given)):
            combined[role] = wanted.get(role, "mean")
    return combined


def _views(by_role: Mapping[str, Sequence[_Given]]) -> dict[RoleName, Views]:
    """How else the networks of each role see a photo: as the bundle says that decides there."""
    whose: dict[RoleName, Mapping[RoleName, Views]] = {
        role: _decisive(by_role[role]).manifest.views for role in get_args(RoleName) if role in by_role
    }
    return {role: views[role] for role, views in whose.items() if role in views}


def _grids_differ(given: Sequence[_Given]) -> bool:
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


def _weight(member: Member, given: _Given, *, alone: bool) -> float:
    """What a member weighs beside those of other bundles: all of a bundle together weigh what the plan says."""
    if alone:
        return member.weight
    return given.weight * member.weight / sum(one.weight for one in given.members if one.kind == member.kind)


class _Files:
    """The files of the new bundle: each once, under a name of its own."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self.contents: dict[str, bytes] = {}
        self._bundles = bundles
        self._from: dict[str, list[Bundle]] = {}
        contents: dict[str, set[bytes]] = {}
        for bundle in bundles:
            for name, data in bundle.files.items():
                contents.setdefault(name, set()).add(data)
        self._ambiguous = {name for name, different in contents.items() if len(different) > 1}

    def network(self, bundle: Bundle, file: str, networks: dict[str, Network]) -> str:
        """The name of a bundle's network, which is added to `networks` where the same is not among them."""
        own = bundle.manifest.network_of(file)
        data = bundle.files[file]
        for name, network in networks.items():
            if self.contents[name] == data and own.model_copy(update={"file": name}) == network:
                break
        else:
            name = self._new_name(bundle, file)
            self.contents[name] = data
            networks[name] = own.model_copy(update={"file": name})
        self._belongs(name, bundle)
        return name

    def take_others(self) -> None:
        """All that bundles hold beside networks, such as the text of a licence."""
        for bundle in self._bundles:
            for file, data in bundle.files.items():
                if not file.endswith(".onnx"):
                    same = (name for name, there in self.contents.items() if there == data and not name.endswith(".onnx"))
                    name = next(same, None) or self._new_name(bundle, file)
                    self.contents[name] = data
                    self._belongs(name, bundle)

    def origins(self, names: Mapping[str, str]) -> Iterator[str]:
        """A sentence a file: where it comes from, and under which licence."""
        for name, bundles in self._from.items():
            told = [f"{names[bundle.sha256]} (licence: {bundle.manifest.licence})" for bundle in bundles]
            yield f"{name} comes from {' and '.join(told)}."

    def _belongs(self, name: str, bundle: Bundle) -> None:
        of = self._from.setdefault(name, [])
        if bundle.sha256 not in [one.sha256 for one in of]:
            of.append(bundle)

    def _new_name(self, bundle: Bundle, file: FileName) -> str:
        """The file's own name, with its bundle's before it where another bundle's file has it too, and a number if need be."""
        path = PurePosixPath(file)
        stem = path.stem
        if file in self._ambiguous:
            prefix = re.sub(r"[^A-Za-z0-9._-]+", "-", bundle.manifest.name).strip("._-")[:_LONGEST_STEM] or "bundle"
            stem = f"{prefix}-{stem[:_LONGEST_STEM]}"
        name, number = f"{stem}{path.suffix}", 2
        while name in self.contents:
            name, number = f"{stem[: 2 * _LONGEST_STEM - 10]}-{number}{path.suffix}", number + 1
        return name


def _decisive(given: Sequence[_Given]) -> Bundle:
    """Whose thresholds and calibration count in a role: the bundle that weighs most, the first of several that do."""
    return max(given, key=lambda one: one.weight).bundle


def _settings_of_roles(by_role: Mapping[str, Sequence[_Given]], bundles: Sequence[Bundle]) -> dict[str, Any]:
    """What belongs to roles beside their members, each from the bundle that decides there; defaults where a role is left out."""

    def of(role: str) -> Manifest | None:
        return _decisive(by_role[role]).manifest if role in by_role else None

    vehicle, gate, types, damage, parts, severity = map(
        of, ("vehicle_gate", "damage_gate", "types", "damage", "parts", "severity")
    )
    thresholds, calibration = Thresholds(), Calibration()
    taught = {name for one in (damage and damage.classes.damage, types and types.classes.types) if one for name in one}
    weak = [name for bundle in bundles for name in bundle.manifest.review.weak_types if name in taught]
    grouping = damage.grouping if damage else Grouping()
    return {
        "classes": Classes(
            types=types.classes.types if types else (),
            damage=damage.classes.damage if damage else (),
            parts=parts.classes.parts if parts else (),
            severity=severity.classes.severity if severity else (),
        ),
        "thresholds": Thresholds(
            vehicle=(vehicle.thresholds if vehicle else thresholds).vehicle,
            damage=(gate.thresholds if gate else thresholds).damage,
            types=(types.thresholds if types else thresholds).types,
            findings=(damage.thresholds if damage else thresholds).findings,
            parts=(parts.thresholds if parts else thresholds).parts,
        ),
        "calibration": Calibration(
            vehicle=(vehicle.calibration if vehicle else calibration).vehicle,
            damage=(gate.calibration if gate else calibration).damage,
            types=(types.calibration if types else calibration).types,
            findings=(damage.calibration if damage else calibration).findings,
            severity=(severity.calibration if severity else calibration).severity,
        ),
        "grouping": grouping.model_copy(update={"part_upscale": parts.grouping.part_upscale}) if parts else grouping,
        # A person looks wherever one of the bundles would have asked for it.
        "review": ReviewRules(
            sure_from=max(bundle.manifest.review.sure_from for bundle in bundles), weak_types=tuple(dict.fromkeys(weak))
        ),
    }


def _taxonomy(by_role: Mapping[str, Sequence[_Given]], bundles: Sequence[Bundle]) -> Taxonomy:
    """What can be named by those that tell it; damage types that one knows by name alone are told as not judged."""
    tell_damage = [_decisive(by_role[role]) for role in ("damage", "types") if role in by_role]
    damage_types = tuple(
        dict.fromkeys(name for bundle in tell_damage or bundles for name in bundle.manifest.taxonomy.damage_types)
    )
    taught = {
        name
        for role in ("damage", "types")
        if role in by_role
        for name in getattr(_decisive(by_role[role]).manifest.classes, role)
    }
    return Taxonomy(
        damage_types=damage_types,
        taught=tuple(name for name in damage_types if name in taught),
        parts=_decisive(by_role["parts"]).manifest.taxonomy.parts if "parts" in by_role else (),
        severity_levels=_decisive(by_role["severity"]).manifest.taxonomy.severity_levels if "severity" in by_role else (),
    )


def _notes(by_role: Mapping[str, Sequence[_Given]], bundles: Sequence[Bundle], names: Mapping[str, str]) -> Iterator[str]:
    """What is not as it was in the bundles by themselves, and what to do about it."""
    for role, given in by_role.items():
        if len(given) > 1:
            told = _listed(names[one.bundle.sha256] for one in given)
            yield (
                f"{role} is answered by {told} together, whose thresholds and calibration were made for each alone: those of "
                f"{names[_decisive(given).sha256]} are kept; run `dentify bundle fit` on your own photos."
            )
    if "damage" not in by_role:
        return
    whose = _decisive(by_role["damage"])
    changed = [
        gate
        for gate in ("vehicle_gate", "damage_gate")
        if getattr(whose.manifest.roles, gate) and [one.bundle.sha256 for one in by_role.get(gate, ())] != [whose.sha256]
    ]
    if changed:
        yield (
            f"Confidences and thresholds of damage are those of {names[whose.sha256]} behind its own {' and '.join(changed)}, "
            f"which {'is' if len(changed) == 1 else 'are'} not the same here; run `dentify bundle fit` on your own photos."
        )


def names_of(bundles: Sequence[Bundle]) -> dict[str, str]:
    """What notes call each bundle, by its hash: name and version, and the beginning of the hash where these are the same."""
    plain = {bundle.sha256: f"{bundle.manifest.name} {bundle.manifest.version}" for bundle in bundles}
    counts = Counter(plain.values())
    return {sha256: name if counts[name] == 1 else f"{name} ({sha256[:8]})" for sha256, name in plain.items()}


def _licence(plan: BuildPlan, bundles: Sequence[Bundle], where: str) -> str:
    """All licences that the new bundle stands under, the plan's first."""
    licences = dict.fromkeys([*filter(None, [plan.licence]), *(bundle.manifest.licence for bundle in bundles)])
    told = " and ".join(licences)
    if len(told) > _LONGEST_LICENCE:
        raise BundleError(
            f"{where}: the licences of these bundles take {len(told)} characters together, a manifest holds {_LONGEST_LICENCE}; "
            "name fewer bundles"
        )
    return told


def _description(by_role: Mapping[str, Sequence[_Given]], bundles: Sequence[Bundle], names: Mapping[str, str]) -> str:
    answers = []
    for bundle in bundles:
        roles = [role for role, given in by_role.items() if bundle.sha256 in [one.bundle.sha256 for one in given]]
        answers.append(f"{names[bundle.sha256]} ({', '.join(roles)})")
    return f"Built of {_listed(answers)}."


def _metrics(bundles: Sequence[Bundle], names: Mapping[str, str]) -> dict[str, Metric]:
    """What each bundle reached by itself; the new one was not measured."""
    return {f"{names[one.sha256]} alone": dict(one.manifest.metrics) for one in bundles if one.manifest.metrics}


def _told_by(bundles: Sequence[Bundle], names: Mapping[str, str], key: str) -> tuple[str, ...]:
    """Limits or notes of all bundles; where there are several, each says whose it is."""
    told = [(names[one.sha256], sentence) for one in bundles for sentence in getattr(one.manifest, key)]
    return tuple(sentence if len(bundles) == 1 else f"{name}: {sentence}" for name, sentence in told)


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _size(hw: Sequence[int | None]) -> str:
    return " × ".join("any" if side is None else str(side) for side in hw)


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "none"
