"""From labelled photos to `Scene`s: a view of one, a mosaic of four, or a sound vehicle with pasted damages.

Photos of damage are mostly close-ups, photos of whole vehicles mostly sound. A network that sees only these learns to tell the
two views apart, and finds nothing on a whole car with a small dent. So damages are also shown small (mosaics of four views;
Bochkovskiy et al. 2020, "YOLOv4") and on whole vehicles (Ghiasi et al. 2021, "Simple Copy-Paste", with gradients blended as in
Pérez et al. 2003, "Poisson Image Editing").
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dentify.arrays import DoubleArray, Matrix, Photo
from dentify.datasets import Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.decode import decode_photo
from dentify.imaging.views import Picture, moved_view, warp, whole_view
from dentify.settings import Settings
from dentify.training.augment import Augment, degrade, random_view
from dentify.training.scene import Placed, Scene, Window


@dataclass(frozen=True)
class Draw:
    """One showing of a photo.

    Attributes:
        photos: place of its set of photos in the recipe.
        photo: place of the photo in the set.
        number: what seeds its view.
        size: side of the picture.
        mosaic: how likely a damaged photo is shown as one of four.
        paste: how likely a sound vehicle gets damages of other photos.
    """

    photos: int
    photo: int
    number: int
    size: int
    mosaic: float = 0.0
    paste: float = 0.0


class Composer:
    """Makes the training picture of a `Draw`. All chance follows from the seed and the draw's number.

    Args:
        sets: the photos of each set of the recipe.
        augment: how strongly pictures are distorted.
        seed: of the run.
        pasteable: types whose outlines may be pasted onto sound vehicles.
        settings: limits on photos.
    """

    def __init__(
        self,
        sets: Sequence[Sequence[Sample]],
        augment: Augment,
        *,
        seed: int,
        pasteable: Collection[str],
        settings: Settings | None = None,
    ) -> None:
        self.sets = sets
        self._augment = augment
        self._seed = seed
        self._pasteable = frozenset(pasteable) - {"tire_flat"}  # a wheel in the middle of a door looks like nothing
        self._settings = settings or Settings()
        # By place in `sets`: the photos of whole vehicles without damage, and the sets with damages to cut out.
        sound = {place: [photo for photo in photos if is_sound(photo)] for place, photos in enumerate(sets)}
        self._sound = {place: photos for place, photos in sound.items() if photos}
        self._donors = [place for place, photos in enumerate(sets) if any(self._cuttable(photo) for photo in photos)]

    def compose(self, draw: Draw) -> Scene:
        """The picture of one draw.

        Raises:
            DatasetError: a photo has another size than its labels say.
            ImageError: a photo cannot be read.
        """
        rng = np.random.default_rng((self._seed, draw.number))
        sample = self.sets[draw.photos][draw.photo]
        if draw.photos in self._donors and rng.random() < draw.mosaic:
            scene = self._mosaic(rng, sample, draw)
        elif is_sound(sample) and self._donors and rng.random() < draw.paste:
            scene = self._pasted(rng, sample, draw.size)
        else:
            image, placed = self._seen(rng, sample, draw.size)
            scene = Scene(image, (placed,))
        return Scene(np.asarray(degrade(rng, scene.image, self._augment), np.uint8), scene.photos, scene.pasted)

    def _seen(
        self, rng: np.random.Generator, sample: Sample, size: int, corner_xy: tuple[int, int] = (0, 0)
    ) -> tuple[Photo, Placed]:
        """A random view of a photo, for the square window of a picture that begins at `corner_xy`."""
        image, hw = decoded(sample, self._settings)
        view = self._view(rng, sample, hw, size)
        picture = np.asarray(warp(image, view, (size, size)), np.uint8)
        window = (corner_xy[0], corner_xy[1], corner_xy[0] + size, corner_xy[1] + size)
        return picture, Placed.photo(sample, moved_view(view, (-corner_xy[0], -corner_xy[1])), window, hw)

    def _mosaic(self, rng: np.random.Generator, sample: Sample, draw: Draw) -> Scene:
        """The photo among three others of its set or of sound vehicles, in any order."""
        shown = [sample]
        while len(shown) < 4:
            beside = self._sound and rng.random() < 0.35
            photos_of = self._sound[int(rng.choice(list(self._sound)))] if beside else self.sets[draw.photos]
            shown.append(photos_of[int(rng.integers(len(photos_of)))])
        half = draw.size // 2
        image = np.empty((2 * half, 2 * half, 3), np.uint8)
        photos = []
        for tile, place in enumerate(rng.permutation(4)):
            picture, placed = self._seen(rng, shown[place], half, (tile % 2 * half, tile // 2 * half))
            left, top, right, bottom = placed.window
            image[top:bottom, left:right] = picture
            photos.append(placed)
        return Scene(image, tuple(photos))

    def _pasted(self, rng: np.random.Generator, sample: Sample, size: int) -> Scene:
        """A sound vehicle with one to three damages of other photos on it."""
        image, hw = decoded(sample, self._settings)
        view = random_view(rng, hw, size, share=(0.5, 1.3), augment=self._augment)
        picture = warp(image, view, (size, size))
        window = (0, 0, size, size)
        pasted = []
        for _ in range(int(rng.integers(1, 4))):
            photos = self.sets[int(rng.choice(self._donors))]
            donor = photos[int(rng.integers(len(photos)))]
            choice = self._cuttable(donor)
            if not choice:
                continue
            damage = choice[rng.integers(len(choice))]
            side = size * math.exp(rng.uniform(math.log(0.07), math.log(0.35)))
            centre_xy = place_on_vehicle(rng, view, hw)
            photo, donor_hw = decoded(donor, self._settings)
            done = paste(rng, picture, photo, damage, side=side, centre_xy=centre_xy)
            if done is not None:
                picture = done.picture
                pasted.append(Placed(donor, done.view, window, donor_hw, (damage,)))
        return Scene(np.asarray(picture, np.uint8), (Placed.photo(sample, view, window, hw),), tuple(pasted))

    def _view(self, rng: np.random.Generator, sample: Sample, hw: tuple[int, int], size: int) -> Matrix:
        boxes = np.array([annotation.box_xyxy for annotation in sample.damages]).reshape(-1, 4)
        focus = (boxes[:, :2] + boxes[:, 2:]) / 2
        box_only = any(not annotation.has_mask for annotation in (*sample.damages, *sample.parts))
        if sample.damage is False:  # close-ups of sound panels are what a damage gate most lacks
            share = (0.08, 1.2)
        elif sample.parts:
            share = (0.4, 1.3)
        elif sample.labels and not sample.damages:  # of a small window what is known of the photo as a whole may not hold
            share = (0.6, 1.2)
        else:
            share = (0.2, 1.15)
        return random_view(rng, hw, size, focus_xy=focus, share=share, rotate=not box_only, augment=self._augment)

    def _cuttable(self, sample: Sample) -> list[Annotation]:
        """Damages of a photo that can be cut out of it."""
        return [one for one in sample.damages if one.polygons and one.name in self._pasteable and not (one.crowd or one.loose)]


def is_sound(sample: Sample) -> bool:
    """Whether a photo shows a vehicle without damage."""
    return bool(sample.vehicle) and sample.damage is False


def whole_scene(sample: Sample, size: int, settings: Settings | None = None) -> Scene:
    """A whole photo, stretched to the square as in serving."""
    image, hw = decoded(sample, settings or Settings())
    view = whole_view(hw, (size, size))
    window: Window = (0, 0, size, size)
    return Scene(np.asarray(warp(image, view, (size, size)), np.uint8), (Placed.photo(sample, view, window, hw),))


def decoded(sample: Sample, settings: Settings) -> tuple[Photo, tuple[int, int]]:
    """A photo's pixels, and their height and width.

    Raises:
        DatasetError: it has another size than its labels say.
        ImageError: it cannot be read.
    """
    found = decode_photo(sample.read(settings), where=printable(sample.name), settings=settings)
    if sample.size_hw not in (None, found.photo_hw):
        height, width = found.photo_hw
        raise DatasetError(f"{sample.name}: is {width} × {height} pixels, its labels are for {sample.size_hw}, height first")
    return found.image, found.photo_hw


@dataclass(frozen=True, eq=False)
class Pasted:
    """A damage in its new place.

    Attributes:
        picture: `(S, S, 3)` uint8, the damage blended in.
        view: from the pixels of the damage's own photo to those of the picture.
    """

    picture: Picture
    view: Matrix


def paste(
    rng: np.random.Generator, picture: Picture, donor: Picture, damage: Annotation, *, side: float, centre_xy: tuple[float, float]
) -> Pasted | None:
    """Blends one damage of another photo into a picture; `None` where it does not fit in or is too thin to be seen.

    Args:
        rng: decides whether the damage is mirrored.
        picture: `(S, S, 3)` uint8 RGB; not written to.
        donor: the damage's own photo.
        damage: with polygons, in pixels of its photo.
        side: pixels of the picture that the longer side of the damage's box shall measure.
        centre_xy: where its box shall have its middle, in pixels of the picture.
    """
    size = picture.shape[0]
    x_min, y_min, x_max, y_max = damage.box_xyxy
    scale = min(side / max(x_max - x_min, y_max - y_min, 1.0), 1.0)
    mirror = -scale if rng.random() < 0.5 else scale
    view = np.array([[mirror, 0.0, 0.0], [0.0, scale, 0.0]])
    view[:, 2] = np.array(centre_xy) - view[:, :2] @ ((x_min + x_max) / 2, (y_min + y_max) / 2)
    outline = np.zeros((size, size), np.uint8)
    polygons = [np.rint(polygon @ view[:, :2].T + view[:, 2]).astype(np.int32) for polygon in damage.polygons]
    cv2.fillPoly(outline, polygons, 255)
    if np.count_nonzero(outline) < 12:
        return None
    # Blending leaves out three pixels at the rim, and what is blended needs one of sound paint: else a damage that is outlined
    # tightly keeps next to nothing of its contrast.
    region = cv2.dilate(outline, np.ones((11, 11), np.uint8))
    x, y, w, h = cv2.boundingRect(region)
    if x < 2 or y < 2 or x + w > size - 2 or y + h > size - 2:
        return None
    moved = warp(donor, view, (size, size), outside=None)
    blended = cv2.seamlessClone(moved, picture, region, (x + w // 2, y + h // 2), cv2.NORMAL_CLONE)
    return Pasted(np.asarray(blended, np.uint8), view)


def place_on_vehicle(rng: np.random.Generator, view: Matrix, photo_hw: tuple[int, int]) -> tuple[float, float]:
    """A point of the picture where a photo that shows a whole vehicle likely shows its body: around the middle, rather low."""
    height, width = photo_hw
    point: DoubleArray = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.4, 0.75) * height])
    x, y = view[:, :2] @ point + view[:, 2]
    return float(x), float(y)
