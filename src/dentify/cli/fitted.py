"""What is said of a fit to a user's photos: in the new bundle's manifest, and on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dentify.bundle import Manifest
    from dentify.bundle.manifest import DataOrigin
    from dentify.fitting import Fitted

OWNERS = "as stated by its owner"
"""The licence of photos of which nothing else is said."""
MOST_CHARACTERS = 200
"""Of a name or a licence in a manifest."""


def described(fitted: Fitted, photos: Mapping[tuple[str, str], int], *, licence: str, version: str) -> Manifest:
    """The manifest as fitted, with what it was fitted to."""
    manifest = fitted.manifest
    told = (
        f"Confidences and thresholds of {manifest.name} {manifest.version} were fitted to {fitted.photos} photos of its user's."
    )
    return manifest.model_copy(
        update={
            "version": version,
            "metrics": dict(manifest.metrics) | {"fitted": dict(fitted.figures)},
            "data": (*manifest.data, *origin_rows(photos, licence, "fitting")),
            "notes": (*manifest.notes, told, *(f"In that, {note}." for note in fitted.notes)),
        }
    )


def check_licence(licence: str) -> None:
    """Refuses what no model card can tell, before the work is done.

    Raises:
        typer.BadParameter: it is empty, or a whole text.
    """
    if not 1 <= len(licence) <= MOST_CHARACTERS:
        raise typer.BadParameter(f"--licence: name it in 1 to {MOST_CHARACTERS} characters")


def origin_rows(photos: Mapping[tuple[str, str], int], licence: str, used_for: str) -> tuple[DataOrigin, ...]:
    """The photos of a user, as rows of a manifest."""
    from dentify.bundle.manifest import DataOrigin

    return tuple(
        DataOrigin(name=name, origin=origin, licence=licence, photos=count, used_for=used_for)
        for (name, origin), count in photos.items()
    )


def figures_line(figures: Mapping[str, float]) -> str:
    """Three figures as a short line."""
    if not figures:
        return "no outlines to measure findings by"
    precision = f"{figures['mean/AP50']:.3f}" if "mean/AP50" in figures else "–"
    iou = f"{figures['any/iou']:.3f}" if "any/iou" in figures else "–"
    return f"any damage: pixel IoU {iou}; mean AP50 {precision}; {figures['told']:.2f} findings told a photo"
