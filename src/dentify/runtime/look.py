"""`Look`: all that was seen on one photo, before anything is decided."""

from __future__ import annotations

from dataclasses import dataclass

from dentify.arrays import FloatArray
from dentify.assessment import Photo, Quality
from dentify.runtime.instances import Instances


@dataclass(frozen=True, eq=False)
class Look:
    """What a bundle's networks saw on one photo: decoded, but neither calibrated nor held against a threshold.

    It says the same whatever kind a bundle's networks are of, and one look can be told in several ways. `None` stands where the
    bundle has no such role.

    Attributes:
        photo: which photo it is.
        quality: whether it is good enough to judge by.
        notes: what was done to the photo that a reader should know.
        vehicle: logit that a vehicle is shown; an ensemble's, of its mean probability.
        damaged: logit that it is damaged; likewise.
        damage: the damages found, with raw scores; masks or boxes.
        parts: the parts found; likewise.
        vehicles: the vehicles that stand apart, the largest first, where the bundle tells where vehicles are.
        severity_maps: `(L, h, w)` logits of the severity levels, over the photo.
        photo_severity: `(L,)` logits of the whole photo's severity.
        photo_types: `(C,)` logits of the damage types that the photo shows as a whole; an ensemble's, of mean probabilities.
    """

    photo: Photo
    quality: Quality
    notes: tuple[str, ...] = ()
    vehicle: float | None = None
    damaged: float | None = None
    damage: Instances | None = None
    parts: Instances | None = None
    vehicles: Instances | None = None
    severity_maps: FloatArray | None = None
    photo_severity: FloatArray | None = None
    photo_types: FloatArray | None = None
