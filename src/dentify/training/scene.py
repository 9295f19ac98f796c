"""`Scene`: one training picture, and which annotations lie on it where, before any head draws its truth.

A photo is placed on the picture by a view; four are in a mosaic; damages of other photos may be pasted on. All of that happens to
annotations, so that every head, whatever it answers, gets its truth for every kind of picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from dentify.arrays import BoolArray, Matrix, Photo
from dentify.datasets.coverage import Coverage, coverage_of, polygon_coverage
from dentify.datasets.sample import UNTYPED, Annotation, Sample
from dentify.imaging.polygons import box_to_polygon
from dentify.imaging.views import is_mirrored, moved_view
from dentify.taxonomy import mirrored_part

Window = tuple[int, int, int, int]
"""`(left, top, right, bottom)` in pixels of the picture."""

LEAST_VISIBLE = 4.0
"""Pixels of the picture below which a damage counts as not shown."""


@dataclass(frozen=True, eq=False)
class Region:
    """What one annotation covers of the picture.

    Attributes:
        annotation: the damage.
        cover: of its window.
        window: where on the picture it was drawn.
        whole: pixels of the picture that it would cover if nothing of it lay beyond the window.
    """

    annotation: Annotation
    cover: Coverage
    window: Window
    whole: float
    _coarser: dict[int, Coverage] = field(default_factory=dict, repr=False)

    @cached_property
    def visible(self) -> float:
        """Pixels of the picture that it covers."""
        return float(self.cover.sum()) / 255

    def at(self, stride: int) -> Coverage:
        """Its cover on a grid of cells of `stride` pixels."""
        if stride not in self._coarser:
            height, width = (side // stride for side in self.cover.shape)
            self._coarser[stride] = np.asarray(cv2.resize(self.cover, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        return self._coarser[stride]

    def cells(self, stride: int) -> tuple[slice, slice]:
        """Rows and columns of its window on a grid of cells of `stride` pixels."""
        return cells_of(self.window, stride)


def cells_of(window: Window, stride: int) -> tuple[slice, slice]:
    """Rows and columns of a window on a grid of cells of `stride` pixels.

    >>> cells_of((32, 0, 64, 32), 4)
    (slice(0, 8, None), slice(8, 16, None))
    """
    left, top, right, bottom = window
    return slice(top // stride, bottom // stride), slice(left // stride, right // stride)


@dataclass(frozen=True, eq=False)
class Placed:
    """A photo, or one of its damages, on the picture.

    Attributes:
        sample: whose it is.
        view: from the photo's pixels to the picture's.
        window: the part of the picture that it fills.
        photo_hw: height and width of the photo.
        annotations: those that lie on the picture; all of the sample's where the photo itself does.
    """

    sample: Sample
    view: Matrix
    window: Window
    photo_hw: tuple[int, int]
    annotations: tuple[Annotation, ...]

    @classmethod
    def photo(cls, sample: Sample, view: Matrix, window: Window, photo_hw: tuple[int, int]) -> Placed:
        """The whole photo, with all that is annotated on it."""
        return cls(sample, view, window, photo_hw, sample.annotations)

    @property
    def window_hw(self) -> tuple[int, int]:
        """Height and width of the window."""
        left, top, right, bottom = self.window
        return bottom - top, right - left

    @property
    def zoom(self) -> float:
        """Pixels of the picture a pixel of the photo, by area."""
        return float(abs(np.linalg.det(self.view[:, :2])))

    @cached_property
    def _within(self) -> Matrix:
        """The view onto its window alone."""
        return moved_view(self.view, self.window[:2])

    @cached_property
    def damages(self) -> tuple[Region, ...]:
        """Its damages that can be seen; the largest first, so that what is drawn in this order ends with the smallest on top."""
        damages = [annotation for annotation in self.annotations if annotation.kind == "damage" and not annotation.ignored]
        regions = (self._region(damage) for damage in sorted(damages, key=lambda one: -one.box_area))
        return tuple(region for region in regions if region.visible >= LEAST_VISIBLE)

    @property
    def untyped(self) -> tuple[Region, ...]:
        """Those of a type that nobody told."""
        return tuple(damage for damage in self.damages if damage.annotation.name == UNTYPED)

    @cached_property
    def ignored(self) -> tuple[Region, ...]:
        """What its labels call neither damaged nor sound."""
        return tuple(self._region(annotation) for annotation in self.annotations if annotation.ignored)

    @cached_property
    def parts(self) -> tuple[Region, ...]:
        """Its parts, likewise, called as they are in this view: left and right change sides in a mirrored one."""
        parts = [annotation for annotation in self.annotations if annotation.kind == "part" and not annotation.ignored]
        if is_mirrored(self.view):
            parts = [replace(part, name=mirrored_part(part.name)) for part in parts]
        return tuple(self._region(part) for part in sorted(parts, key=lambda one: -one.box_area))

    @cached_property
    def outside(self) -> BoolArray:
        """`(h, w)` of its window: what lies beyond the photo's edges, where nothing is known."""
        height, width = self.photo_hw
        cover = polygon_coverage((box_to_polygon((0, 0, width, height)),), self._within, self.window_hw)
        return np.asarray(cover < 128, np.bool_)

    @property
    def shown(self) -> float:
        """Which share of the photo its window holds, by area; more than 1 where it looks past the edges."""
        height, width = self.photo_hw
        return math.prod(self.window_hw) / (self.zoom * height * width)

    @cached_property
    def part_share(self) -> float:
        """How much of its window shows outlined parts of a vehicle, in cells of four pixels."""
        shown = np.zeros(self.window_hw, np.bool_)
        for part in self.parts:
            if part.annotation.has_mask:
                shown |= part.cover > 127
        return float(np.mean((shown & ~self.outside)[2::4, 2::4]))

    @cached_property
    def most_visible(self) -> float:
        """How much is seen of the damage of which most is: its share, or more than 1 where it fills over 1 % of the window."""
        height, width = self.window_hw
        shares = [
            max(min(1.0, damage.visible / damage.whole), damage.visible / (0.01 * height * width)) for damage in self.damages
        ]
        return max(shares, default=0.0)

    def _region(self, annotation: Annotation) -> Region:
        cover = coverage_of(annotation, self._within, self.window_hw)
        return Region(annotation, cover, self.window, max(1.0, annotation.area * self.zoom))


@dataclass(frozen=True, eq=False)
class Scene:
    """One training picture.

    Attributes:
        image: `(S, S, 3)` uint8 RGB.
        photos: one; four in a mosaic.
        pasted: damages of other photos, shrunk and blended in.
    """

    image: Photo
    photos: tuple[Placed, ...]
    pasted: tuple[Placed, ...] = ()

    @property
    def size(self) -> int:
        """Side of the picture in pixels."""
        return int(self.image.shape[0])

    @property
    def whole(self) -> Placed | None:
        """The one photo that fills the picture; `None` for a mosaic, of which as a whole nothing is known."""
        return self.photos[0] if len(self.photos) == 1 else None

    @cached_property
    def damages(self) -> tuple[Region, ...]:
        """All damages that can be seen, in the order of drawing, the pasted ones last."""
        return tuple(damage for one in (*self.photos, *self.pasted) for damage in one.damages)
