"""Dentify: what is damaged on a photo of a vehicle, where, on which part, how badly, and how sure that is.

import dentify

assessor = dentify.load()
print(assessor.assess("photo.jpg").report)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dentify.first_use import on_first_use as _on_first_use
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

__getattr__ = _on_first_use(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
