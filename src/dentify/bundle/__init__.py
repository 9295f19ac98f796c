"""A bundle is a folder (or zip) with `bundle.json` and ONNX files: all that is needed to assess, and no code.

    dentify bundle verify my-bundle

opens one as `Bundle.open("my-bundle")` does: everything is checked, or it is refused with one line that says why.
`dentify bundle build roles.yaml -o my-bundle` makes one of members of several (`build_bundle`).
"""

from dentify.bundle.build import Built, build_bundle
from dentify.bundle.card import model_card
from dentify.bundle.manifest import Manifest, parse_manifest
from dentify.bundle.open import Bundle
from dentify.bundle.plan import read_plan
from dentify.bundle.write import write_bundle

__all__ = ["Built", "Bundle", "Manifest", "build_bundle", "model_card", "parse_manifest", "read_plan", "write_bundle"]
