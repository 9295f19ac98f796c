"""Three photos that come with the package, for `dentify demo`: cars by Humans in the Loop, CC0 1.0, three of `examples/`."""

from __future__ import annotations

from pathlib import Path

PHOTOS = Path(__file__).parent
"""The folder that they lie in."""
