"""One bundle of members of several: who answers which question stands in a YAML file (see `plan`).

    built = build_bundle(Path("roles.yaml"))
    write_bundle("my-bundle", built.manifest, built.files)

A role that is not named is left out, and not judged. What belongs to a role (classes, thresholds, calibration, grouping) comes
with its members. Several bundles in one role are an ensemble, and none of their thresholds was made for it: those of the bundle
that weighs most are kept, and a note says to fit the new one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from pydantic import ValidationError

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
    Network,
    ReviewRules,
    RoleName,
    Roles,
    Taxonomy,
    Thresholds,
    Views,
)
from dentify.bundle.open import DEFAULT, Bundle, check_total
from dentify.bundle.plan import BuildPlan, read_plan
from dentify.bundle.together import Given, check_together, grids_differ
from dentify.errors import BundleError, ConfigError, printable
from dentify.settings import Settings
from dentify.strict import Strict, explain

_LONGEST_LICENCE = 200  # of a manifest's
_LONGEST_STEM = 60  # of a bundle's and of a file's name, where the two make a new one


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
        role: [Given(role, open_once(source.bundle), source.weight) for source in sources]
        for role, sources in plan.roles
        if sources
    }
    if not by_role:
        raise ConfigError(f"{where}: roles names no bundle; say for one role at least who answers it")
    for role, given in by_role.items():
        check_together(role, given, where)
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


def _combined(wanted: Mapping[MapsRole, Combine], by_role: Mapping[str, Sequence[Given]], where: str) -> dict[MapsRole, Combine]:
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
        if len(given) > 1 and (role in wanted or grids_differ(given)):
            combined[role] = wanted.get(role, "mean")
    return combined


def _views(by_role: Mapping[str, Sequence[Given]]) -> dict[RoleName, Views]:
    """How else the networks of each role see a photo: as the bundle says that decides there."""
    whose: dict[RoleName, Mapping[RoleName, Views]] = {
        role: _decisive_of_maps(by_role[role]).manifest.views for role in get_args(RoleName) if role in by_role
    }
    return {role: views[role] for role, views in whose.items() if role in views}


def _weight(member: Member, given: Given, *, alone: bool) -> float:
    """What a member weighs beside those of other bundles: all of a bundle together weigh what the plan says."""
    if alone:
        return member.weight
    together = [one for one in given.members if given.role != "severity" or one.kind == member.kind]
    return given.weight * member.weight / sum(one.weight for one in together)


class _Files:
    """The files of the new bundle: each once, under a name of its own."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self.contents: dict[str, bytes] = {}
        self._bundles = bundles
        self._from: dict[str, list[Bundle]] = {}
        contents: dict[str, set[bytes]] = {}  # by names as disks compare them that take a and A for one
        for bundle in bundles:
            for name, data in bundle.files.items():
                contents.setdefault(name.lower(), set()).add(data)
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
        if file.lower() in self._ambiguous:
            prefix = re.sub(r"[^A-Za-z0-9._-]+", "-", bundle.manifest.name).strip("._-")[:_LONGEST_STEM] or "bundle"
            stem = f"{prefix}-{stem[:_LONGEST_STEM]}"
        name, number = f"{stem}{path.suffix}", 2
        taken = {one.lower() for one in self.contents}
        while name.lower() in taken:
            name, number = f"{stem[: 2 * _LONGEST_STEM - 10]}-{number}{path.suffix}", number + 1
        return name


def _decisive(given: Sequence[Given]) -> Bundle:
    """Whose thresholds and calibration count in a role: the bundle that weighs most, the first of several that do."""
    return max(given, key=lambda one: one.weight).bundle


def _decisive_of_maps(given: Sequence[Given]) -> Bundle:
    """Whose grouping and views count in a role, which are of maps: of the bundles with some the one that weighs most."""
    return _decisive([one for one in given if any(member.kind == "maps" for member in one.members)] or given)


class _LeftOut(Strict):
    """What a manifest says of a role that nobody answers."""

    classes: Classes = Classes()
    thresholds: Thresholds = Thresholds()
    calibration: Calibration = Calibration()
    grouping: Grouping = Grouping()


def _settings_of_roles(by_role: Mapping[str, Sequence[Given]], bundles: Sequence[Bundle]) -> dict[str, Any]:
    """What belongs to roles beside their members, each from the bundle that decides there; defaults where a role is left out."""

    def of(role: str, decisive: Callable[[Sequence[Given]], Bundle] = _decisive) -> Manifest | _LeftOut:
        return decisive(by_role[role]).manifest if role in by_role else _LeftOut()

    vehicle, gate, types, damage, parts, severity = map(
        of, ("vehicle_gate", "damage_gate", "types", "damage", "parts", "severity")
    )
    grouping, part_grouping = (of(role, _decisive_of_maps).grouping for role in ("damage", "parts"))
    taught = {*damage.classes.damage, *types.classes.types}
    weak = [name for bundle in bundles for name in bundle.manifest.review.weak_types if name in taught]
    return {
        "classes": Classes(
            types=types.classes.types,
            damage=damage.classes.damage,
            parts=parts.classes.parts,
            severity=severity.classes.severity,
        ),
        "thresholds": Thresholds(
            vehicle=vehicle.thresholds.vehicle,
            damage=gate.thresholds.damage,
            types=types.thresholds.types,
            findings=damage.thresholds.findings,
            parts=parts.thresholds.parts,
        ),
        "calibration": Calibration(
            vehicle=vehicle.calibration.vehicle,
            damage=gate.calibration.damage,
            types=types.calibration.types,
            findings=damage.calibration.findings,
            severity=severity.calibration.severity,
        ),
        "grouping": grouping.model_copy(update={"part_upscale": part_grouping.part_upscale}) if "parts" in by_role else grouping,
        # A person looks wherever one of the bundles would have asked for it.
        "review": ReviewRules(
            sure_from=max(bundle.manifest.review.sure_from for bundle in bundles), weak_types=tuple(dict.fromkeys(weak))
        ),
    }


def _taxonomy(by_role: Mapping[str, Sequence[Given]], bundles: Sequence[Bundle]) -> Taxonomy:
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


def _notes(by_role: Mapping[str, Sequence[Given]], bundles: Sequence[Bundle], names: Mapping[str, str]) -> Iterator[str]:
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


def _description(by_role: Mapping[str, Sequence[Given]], bundles: Sequence[Bundle], names: Mapping[str, str]) -> str:
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
