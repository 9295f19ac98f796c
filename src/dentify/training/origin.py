"""Where photos and weights come from."""

from __future__ import annotations

from dentify.bundle.manifest import Name
from dentify.strict import Strict


class Origin(Strict):
    """Where photos or weights come from; a bundle's model card names it."""

    origin: Name
    licence: Name
    used_for: str = "training"
