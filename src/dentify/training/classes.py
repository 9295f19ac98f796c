"""What a recipe teaches by name, in the order of channels."""

from __future__ import annotations

from dentify.strict import Strict
from dentify.taxonomy import PART_NAMES, SEVERITY_LEVELS


class Classes(Strict):
    """Damage types, parts and levels of severity. What no training photo shows is left out of the bundle again."""

    damage: tuple[str, ...]
    parts: tuple[str, ...] = PART_NAMES
    severity: tuple[str, ...] = SEVERITY_LEVELS
