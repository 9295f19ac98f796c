"""Which bundle answers which role of a new one: a YAML file.

    name: my-bundle
    version: 1.0.0
    roles:
      vehicle_gate: [vgg16-gate]                          # folders or zips, relative to the file; default is the shipped one
      damage_gate: [default, {bundle: resnet50, weight: 2}]
      damage: [default]

`combine: {damage: vote}` lets a role's maps vote; `views: {damage: {tiles: auto}}` says how else its networks see a photo.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from dentify.bundle.manifest import Combine, MapsRole, Name, RoleName, Views
from dentify.errors import ConfigError, MissingExtraError, printable
from dentify.plain_yaml import load_yaml
from dentify.strict import Strict, explain

_MAX_PLAN_BYTES = 2**20


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
