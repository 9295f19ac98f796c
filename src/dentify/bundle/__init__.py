"""A bundle is a folder (or zip) with `bundle.json` and ONNX files: all that is needed to assess, and no code.

    dentify bundle verify my-bundle

opens one as `Bundle.open("my-bundle")` does: everything is checked, or it is refused with one line that says why.
`dentify bundle build roles.yaml -o my-bundle` makes one of members of several (`build_bundle`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dentify.first_use import on_first_use

if TYPE_CHECKING:
    from dentify.bundle.build import Built, build_bundle
    from dentify.bundle.card import model_card
    from dentify.bundle.manifest import Manifest, parse_manifest
    from dentify.bundle.open import Bundle
    from dentify.bundle.plan import read_plan
    from dentify.bundle.write import write_bundle

__all__ = ["Built", "Bundle", "Manifest", "build_bundle", "model_card", "parse_manifest", "read_plan", "write_bundle"]

_HOMES = {
    "Built": "dentify.bundle.build",
    "Bundle": "dentify.bundle.open",
    "Manifest": "dentify.bundle.manifest",
    "build_bundle": "dentify.bundle.build",
    "model_card": "dentify.bundle.card",
    "parse_manifest": "dentify.bundle.manifest",
    "read_plan": "dentify.bundle.plan",
    "write_bundle": "dentify.bundle.write",
}

__getattr__ = on_first_use(__name__, _HOMES)
