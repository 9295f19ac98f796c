"""Dentify: what is damaged on a photo of a vehicle, where, on which part, how badly, and how sure that is.

import dentify

assessor = dentify.load()
print(assessor.assess("photo.jpg").report)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dentify.version import __version__

if TYPE_CHECKING:
    from dentify.assessment import Assessment, Finding
    from dentify.assessor import Assessor, load
    from dentify.bundle.open import Bundle
    from dentify.errors import DentifyError
    from dentify.interop import rows, to_coco, to_supervision

__all__ = [
    "Assessment",
    "Assessor",
    "Bundle",
    "DentifyError",
    "Finding",
    "__version__",
    "load",
    "rows",
    "to_coco",
    "to_supervision",
]

# Names are fetched from their modules when first used, so that importing Dentify costs nothing by itself.
_HOMES = {
    "Assessment": "dentify.assessment",
    "Assessor": "dentify.assessor",
    "Bundle": "dentify.bundle.open",
    "DentifyError": "dentify.errors",
    "Finding": "dentify.assessment",
    "load": "dentify.assessor",
    "rows": "dentify.interop",
    "to_coco": "dentify.interop",
    "to_supervision": "dentify.interop",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dentify' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
