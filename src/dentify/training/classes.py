"""What a recipe teaches by name, in the order of channels."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from dentify.strict import Strict
from dentify.taxonomy import PART_NAMES, SEVERITY_LEVELS


class Classes(Strict):
    """Damage types, parts and levels of severity. What no training photo shows is left out of the bundle again."""

    damage: tuple[str, ...]
    parts: tuple[str, ...] = PART_NAMES
    severity: tuple[str, ...] = SEVERITY_LEVELS

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for key, names in self:
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{key} names {', '.join(twice)} twice")
        strangers = [level for level in self.severity if level not in SEVERITY_LEVELS]
        if strangers or list(self.severity) != [level for level in SEVERITY_LEVELS if level in self.severity]:
            raise ValueError(f"severity takes {', '.join(SEVERITY_LEVELS)}, in this order, got {', '.join(self.severity)}")
        return self
