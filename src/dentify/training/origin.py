"""Where photos and weights come from."""

from __future__ import annotations

from dentify.strict import Strict


class Origin(Strict):
    """Where photos or weights come from; a bundle's model card names it."""

    origin: str
    licence: str
    used_for: str = "training"
