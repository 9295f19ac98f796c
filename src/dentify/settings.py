"""Every limit and default of Dentify's own, in one place.

`Settings()` reads nothing but its arguments; `Settings.from_environment()` lets `DENTIFY_…` variables override the defaults
(`DENTIFY_MAX_PIXELS=200000000`). The object is passed to who needs it and never kept in a global.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError

from dentify.errors import ConfigError, printable
from dentify.languages import Language
from dentify.strict import Strict, explain, nearest

ENVIRONMENT_PREFIX = "DENTIFY_"

MOST_TILES = 8
"""Along a photo's shorter side."""


def _known_tiles(value: Any) -> Any:
    if value in ("bundle", "auto", "off"):
        return value
    if str(value).isdecimal() and 2 <= int(value) <= MOST_TILES:
        return int(value)
    raise ValueError(f"must be bundle, auto, off, or 2 to {MOST_TILES} along the photo's shorter side, got {value}")


TilesSetting = Annotated[Literal["bundle", "auto", "off"] | int, BeforeValidator(_known_tiles)]
"""In how many tiles a photo is looked at beside the whole: as the bundle says, as it needs, in none, or so many along its shorter
side."""


class Settings(Strict):
    """Limits that keep hostile input from taking the machine, and defaults that a user may change."""

    max_file_bytes: int = Field(64 * 2**20, gt=0, description="largest photo file that is read, in bytes")
    max_pixels: int = Field(100_000_000, gt=0, description="largest photo that is decoded, width × height")
    min_side: int = Field(16, gt=0, description="smallest photo side that is decoded at all, in pixels")

    max_archive_files: int = Field(20_000, gt=0, description="most entries a zip may have")
    max_archive_bytes: int = Field(20 * 2**30, gt=0, description="most bytes a zip may unpack to in all")
    max_archive_ratio: float = Field(100.0, gt=1, description="most that one entry of a zip may grow when unpacked")

    max_annotation_bytes: int = Field(2 * 2**30, gt=0, description="largest annotation file that is read, in bytes")
    follow_links: bool = Field(False, description="open files of a data set whose symbolic links lead out of its folder")
    max_bundle_bytes: int = Field(2 * 2**30, gt=0, description="largest bundle that is opened, all files together")
    max_run_seconds: float = Field(8.0, gt=0, description="longest that one network may take for one photo, in seconds")
    max_run_bytes: int = Field(2**30, gt=0, description="most memory that one network may take at a time, weights included")

    tiles: TilesSetting = Field(
        "bundle", description="tiles in which damage is looked for beside the whole photo: bundle, auto, off, or 2 to 8 along it"
    )
    max_tiles: int = Field(12, gt=0, description="most tiles that a photo is shown to a network in, beside the whole")

    photo_long_side: int = Field(2000, gt=0, description="longest side of an annotated photo that is written")
    photo_jpeg_quality: int = Field(90, ge=1, le=100, description="JPEG quality of an annotated photo")

    language: Language = Field("en", description="language of reports and drawings, en or de")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Defaults, overridden by `DENTIFY_<FIELD>` variables.

        Raises:
            ConfigError: a variable names no setting, or holds no fitting value.
        """
        given = os.environ if environment is None else environment
        names = {ENVIRONMENT_PREFIX + name.upper(): name for name in cls.model_fields}
        for key in given:
            if key.startswith(ENVIRONMENT_PREFIX) and key not in names:
                raise ConfigError(f"{printable(key)}: no such setting{nearest(key, names)}")
        values = {name: given[key] for key, name in names.items() if key in given}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            name, _, problem = explain(error, cls).partition(":")
            raise ConfigError(f"{ENVIRONMENT_PREFIX}{name.upper()}:{problem}") from error
