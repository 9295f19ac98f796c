"""From `Sample`s to what a training step takes: pictures and the truth of every head, known or unknown.

*Unknown is not absent*: each target has its `…_known` or an ignore value, and losses leave out what nobody labelled. A photo's
view and distortion follow from the recipe's seed and the draw's number alone, so a run that was stopped goes on as if it had
not been.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from dentify.arrays import BoolArray, DoubleArray, IntArray
from dentify.datasets import Annotation, LabelMap, Sample, open_dataset, read_label_map, read_photos
from dentify.errors import DatasetError
from dentify.imaging.decode import decode_photo
from dentify.imaging.masks import rle_area, rle_decode
from dentify.imaging.polygons import polygon_area
from dentify.settings import Settings
from dentify.taxonomy import mirrored_part
from dentify.training.augment import degrade, is_mirrored, random_view, transform_points, warp, whole_view
from dentify.training.compose import mosaic, paste, place_on_vehicle
from dentify.training.recipe import Classes, Recipe, SourceRecipe

IGNORE = 255
"""Class index of pixels whose part or severity is unknown."""

Maps = NDArray[np.uint8]


@dataclass(frozen=True)
class Draw:
    """One showing of a photo.

    Attributes:
        source: place of its source in the recipe.
        photo: place of the photo in its source.
        number: what seeds its view.
        size: side of the square.
        mosaic: how likely a damaged photo is shown as one of four.
    """

    source: int
    photo: int
    number: int
    size: int
    mosaic: float


def read_source(source: SourceRecipe, root: Path, split: str, classes: Classes) -> list[Sample]:
    """The photos of one source of a recipe; without a `source` of their own they have the file's name.

    Of a folder those of `split` are taken, and those that have none; a label file is taken whole.

    Raises:
        DatasetError: a file is missing, a label is neither one of the recipe's classes nor mapped to one, or nothing is left.
    """
    if source.dataset is not None:
        own = (*classes.damage, *classes.parts)
        labels = read_label_map(root / source.labels, own=own) if source.labels else LabelMap(others="refused")
        labels = replace(labels, labels={name: name for name in own} | dict(labels.labels))
        path = root / source.dataset
        dataset = open_dataset(
            path,
            images=root / source.images if source.images else None,
            split=None if path.is_dir() else split,
            labels=labels,
        )
        dataset.check_labels()
        samples = [sample for sample in dataset if sample.split in (None, split)]
    else:
        assert source.photos is not None
        assert source.vehicle is not None
        samples = list(read_photos(root / source.photos, vehicle=source.vehicle, damage=source.damage, split=split))
    unnamed = Path(source.file).stem
    samples = [replace(sample, source=sample.source or unnamed) for sample in samples if sample.source not in source.leave_out]
    if not samples:
        raise DatasetError(f"{root / source.file}: no photo of split `{split}`")
    return samples


def hold_out(samples: list[Sample], share: float) -> tuple[list[Sample], list[Sample]]:
    """Photos to train on, and those that are kept for fitting scores, thresholds and calibration.

    Near-duplicates (one `group`) stay together, and the choice depends on names alone: the same photos are held out in every run.
    """
    kept: tuple[list[Sample], list[Sample]] = ([], [])
    for sample in samples:
        key = f"{sample.source}/{sample.group or sample.name}".encode()
        kept[hashlib.sha256(key).digest()[0] < share * 256].append(sample)
    return kept


class Views(Dataset[dict[str, Tensor]]):
    """Random views of the training photos, by `Draw`; whole photos when `train` is false, by index."""

    def __init__(self, sources: list[list[Sample]], recipe: Recipe, *, train: bool) -> None:
        self.sources = sources
        self.classes = recipe.classes
        self.serve_size = recipe.data.serve_size
        self.seed = recipe.seed
        self.train = train
        self.paste = recipe.data.paste
        self.settings = Settings()
        # By place in `sources`: whole vehicles without damage, and damages with outlines.
        self.sound = [number for number, source in enumerate(sources) if source[0].vehicle and source[0].damage is False]
        self.damaged = [
            number for number, source in enumerate(sources) if any(_pasteable(sample, self.classes) for sample in source)
        ]

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def __getitem__(self, key: Draw | int) -> dict[str, Tensor]:
        draw = key if isinstance(key, Draw) else self._place(key)
        sample = self.sources[draw.source][draw.photo]
        if not self.train:
            image, hw = self._decoded(sample)
            view = whole_view(hw, draw.size)
            picture, targets = warp(image, view, draw.size), draw_targets(sample, hw, view, draw.size, self.classes)
        else:
            rng = np.random.default_rng((self.seed, draw.number))
            if draw.source in self.damaged and rng.random() < draw.mosaic:
                picture, targets = self._mosaic(rng, sample, draw)
            elif draw.source in self.sound and self.damaged and rng.random() < self.paste:
                picture, targets = self._pasted(rng, sample, draw.size)
            else:
                picture, targets = self._seen(rng, sample, draw.size)
            picture = degrade(rng, picture)
        return {"image": torch.from_numpy(picture), **targets}

    def _decoded(self, sample: Sample) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        decoded = decode_photo(sample.read(self.settings), where=sample.name, settings=self.settings, enough_side=None)
        hw = decoded.photo_hw
        if sample.size_hw not in (None, hw):
            raise DatasetError(f"{sample.name}: is {hw[1]} × {hw[0]} pixels, its labels are for {sample.size_hw}, height first")
        return decoded.image, hw

    def _seen(self, rng: np.random.Generator, sample: Sample, size: int) -> tuple[NDArray[np.uint8], dict[str, Tensor]]:
        image, hw = self._decoded(sample)
        view = self._view(rng, sample, hw, size)
        return warp(image, view, size), draw_targets(sample, hw, view, size, self.classes)

    def _mosaic(self, rng: np.random.Generator, sample: Sample, draw: Draw) -> tuple[NDArray[np.uint8], dict[str, Tensor]]:
        """The photo among three others of its source or of sound vehicles, in any order."""
        shown = [sample]
        while len(shown) < 4:
            source = int(rng.choice(self.sound)) if self.sound and rng.random() < 0.35 else draw.source
            shown.append(self.sources[source][rng.integers(len(self.sources[source]))])
        return mosaic([self._seen(rng, shown[place], draw.size // 2) for place in rng.permutation(4)])

    def _pasted(self, rng: np.random.Generator, sample: Sample, size: int) -> tuple[NDArray[np.uint8], dict[str, Tensor]]:
        """A sound vehicle with one to three damages of other photos on it."""
        image, hw = self._decoded(sample)
        view = random_view(rng, hw, size, share=(0.5, 1.3), rotate=True)
        picture = warp(image, view, size)
        drawn = draw_targets(sample, hw, view, size, self.classes)
        for _ in range(int(rng.integers(1, 4))):
            source = self.sources[int(rng.choice(self.damaged))]
            donor = source[rng.integers(len(source))]
            choice = _pasteable(donor, self.classes)
            if not choice:
                continue
            damage = choice[rng.integers(len(choice))]
            side = size * math.exp(rng.uniform(math.log(0.07), math.log(0.35)))
            centre_xy = place_on_vehicle(rng, view, hw)
            pasted = paste(rng, picture, self._decoded(donor)[0], damage, side=side, centre_xy=centre_xy)
            if pasted is not None:
                picture = pasted.picture
                alone = replace(donor, annotations=(damage,), labelled=frozenset(self.classes.damage))
                added = draw_targets(alone, donor.size_hw or (1, 1), pasted.view, size, self.classes)
                _add_damage(drawn, added)
        return picture, drawn

    def _view(self, rng: np.random.Generator, sample: Sample, hw: tuple[int, int], size: int) -> DoubleArray:
        boxes = np.array([annotation.box_xyxy for annotation in sample.damages]).reshape(-1, 4)
        focus = (boxes[:, :2] + boxes[:, 2:]) / 2
        box_only = any(not annotation.has_mask for annotation in sample.damages)
        if sample.damage is False:  # close-ups of sound panels are what a damage gate most lacks
            share = (0.08, 1.2)
        elif sample.parts:
            share = (0.4, 1.3)
        else:
            share = (0.2, 1.15)
        return random_view(rng, hw, size, focus_xy=focus, share=share, rotate=not box_only)

    def _place(self, index: int) -> Draw:
        for number, source in enumerate(self.sources):
            if index < len(source):
                return Draw(number, index, number=0, size=self.serve_size, mosaic=0.0)
            index -= len(source)
        raise IndexError(index)


def _pasteable(sample: Sample, classes: Classes) -> list[Annotation]:
    """Damages of a photo that can be cut out of it."""
    return [damage for damage in sample.damages if damage.polygons and damage.name in classes.damage and not damage.crowd]


def _add_damage(targets: dict[str, Tensor], added: dict[str, Tensor]) -> None:
    """Adds a pasted damage to a picture's truth, in place."""
    for name in ("types", "any", "centres"):
        targets[name] = torch.maximum(targets[name], added[name])
    targets["offsets"] = torch.where(added["offsets"].isnan(), targets["offsets"], added["offsets"])
    targets["damage"] = torch.tensor(1.0)


def draw_targets(sample: Sample, photo_hw: tuple[int, int], view: DoubleArray, size: int, classes: Classes) -> dict[str, Tensor]:
    """The truth of every head for one view of a photo.

    Args:
        sample: the photo's labels, in its own pixels.
        photo_hw: height and width of the photo as decoded.
        view: `(2, 3)` from the photo's pixels to the square's.
        size: side S of the square.
        classes: names in the order of the network's channels.

    Returns:
        `types` (T, S/2, S/2) uint8: how much of each cell is damaged so, 255 for all of it; `types_known` (T,) bool;
        `box_only` () bool: `types` holds filled boxes, not outlines; `any` (S/2, S/2) uint8: damage of all types, taught or not;
        `any_known` () bool: whether what is not damaged is known;
        `centres` (T, S/4, S/4) uint8; `offsets` (2T, S/4, S/4) float16, NaN off the instances; `parts` (S/4, S/4) uint8,
        background last, `IGNORE` unknown; `severity_maps` (S/4, S/4) uint8; `vehicle`, `damage` () float, NaN unknown;
        `severity` () int64, -1 unknown.
    """
    fine, coarse = size // 2, size // 4
    num_types = len(classes.damage)
    types = np.zeros((num_types, fine, fine), np.uint8)
    any_damage = np.zeros((fine, fine), np.uint8)
    centres = np.zeros((num_types, coarse, coarse), np.uint8)
    offsets = np.full((2 * num_types, coarse, coarse), np.nan, np.float16)
    severity_map = np.full((coarse, coarse), IGNORE, np.uint8)
    outside = _outside(photo_hw, view, size)
    most_visible = 0.0
    worst = -1
    for annotation in sorted(sample.damages, key=lambda damage: -_box_area(damage.box_xyxy)):
        mask = draw_annotation(annotation, view, size)
        visible = float(mask.sum()) / 255
        whole = max(1.0, _area(annotation) * abs(np.linalg.det(view[:, :2])))
        if visible < 4:
            continue
        most_visible = max(most_visible, min(1.0, visible / whole), visible / (0.01 * size * size))
        level = classes.severity.index(annotation.severity) if annotation.severity in classes.severity else -1
        if visible > 0.5 * whole:
            worst = max(worst, level)
        coarse_mask = np.asarray(cv2.resize(mask, (coarse, coarse), interpolation=cv2.INTER_AREA), np.uint8)
        if level >= 0:
            severity_map[coarse_mask > 64] = level
        fine_mask = np.asarray(cv2.resize(mask, (fine, fine), interpolation=cv2.INTER_AREA), np.uint8)
        np.maximum(any_damage, fine_mask, out=any_damage)
        if annotation.name not in classes.damage:
            continue
        channel = classes.damage.index(annotation.name)
        np.maximum(types[channel], fine_mask, out=types[channel])
        if annotation.has_mask:
            _draw_centre(coarse_mask, centres[channel], offsets[2 * channel : 2 * channel + 2])
    crowds = {annotation.name for annotation in sample.damages if annotation.crowd}  # regions nobody split into instances
    known = [sample.knows(name) and name not in crowds for name in classes.damage]
    parts = _draw_parts(sample, view, size, classes, outside)
    parts_share = float(np.mean(parts < len(classes.parts)))
    box_only = any(not annotation.has_mask for annotation in sample.damages)
    return {
        "types": torch.from_numpy(types),
        "types_known": torch.tensor(known),
        "box_only": torch.tensor(box_only),
        # Where a source leaves out the small types only, unlabelled damage is rare enough to teach "nothing here".
        "any": torch.from_numpy(any_damage),
        "any_known": torch.tensor(sum(known) >= 0.6 * num_types and not box_only),
        "centres": torch.from_numpy(centres),
        "offsets": torch.from_numpy(offsets),
        "parts": torch.from_numpy(parts),
        "severity_maps": torch.from_numpy(severity_map),
        "vehicle": torch.tensor(_vehicle_label(sample, view, photo_hw, size, most_visible, parts_share)),
        "damage": torch.tensor(_damage_label(sample, most_visible, all_known=all(known))),
        "severity": torch.tensor(worst),
    }


def _vehicle_label(
    sample: Sample, view: DoubleArray, photo_hw: tuple[int, int], size: int, most_visible: float, parts_share: float
) -> float:
    """1, 0 or NaN: a small window of a photo of a whole vehicle may show nothing but street.

    It shows the vehicle, though, where a damage or parts fill it, and most likely in the middle of a photo of a sound vehicle.
    """
    if sample.vehicle is False:
        return 0.0
    if not (sample.vehicle or sample.damages or sample.parts):
        return math.nan
    share = size * size / (abs(np.linalg.det(view[:, :2])) * photo_hw[0] * photo_hw[1])
    x, y = np.linalg.solve(view[:, :2], (size / 2, size / 2) - view[:, 2]) / (photo_hw[1], photo_hw[0])
    in_the_middle = sample.damage is False and 0.25 < x < 0.75 and 0.4 < y < 0.75
    return 1.0 if share > 0.4 or most_visible > 0.5 or parts_share > 0.5 or in_the_middle else math.nan


def _damage_label(sample: Sample, most_visible: float, *, all_known: bool) -> float:
    """1, 0 or NaN: a sliver of a damage decides nothing, and what was not searched for every damage is not sound."""
    if sample.damage is False:
        return 0.0
    if sample.damages:
        if most_visible >= 0.4:
            return 1.0
        return 0.0 if most_visible == 0.0 and all_known else math.nan
    return math.nan


def _draw_parts(sample: Sample, view: DoubleArray, size: int, classes: Classes, outside: BoolArray) -> NDArray[np.uint8]:
    coarse = size // 4
    background = len(classes.parts)
    if sample.vehicle is False:
        return np.full((coarse, coarse), background, np.uint8)
    if not sample.parts:
        return np.full((coarse, coarse), IGNORE, np.uint8)
    drawn = np.full((size, size), background, np.uint8)
    mirrored = is_mirrored(view)
    for part in sorted(sample.parts, key=lambda annotation: -_box_area(annotation.box_xyxy)):
        name = mirrored_part(part.name) if mirrored else part.name
        drawn[draw_annotation(part, view, size) > 127] = classes.parts.index(name) if name in classes.parts else IGNORE
    drawn[outside] = IGNORE
    return drawn[2::4, 2::4].copy()


def _draw_centre(mask: NDArray[np.uint8], centres: NDArray[np.uint8], offsets: NDArray[np.float16]) -> None:
    """Adds one instance to the middle and offset maps of its type, in place (they are this module's own)."""
    y, x = np.nonzero(mask > 100)
    if len(x) == 0:
        y, x = np.nonzero(mask == mask.max())
    side = mask.shape[0]
    middle_x, middle_y = x.mean(), y.mean()
    offsets[0, y, x] = (middle_x - x) / side
    offsets[1, y, x] = (middle_y - y) / side
    sigma = float(np.clip(0.12 * math.sqrt(len(x)), 1.0, 6.0))
    grid = np.arange(side)
    bump = np.exp(-((grid - middle_x) ** 2) / (2 * sigma**2))[None] * np.exp(-((grid - middle_y) ** 2) / (2 * sigma**2))[:, None]
    bump[round(middle_y), round(middle_x)] = 1.0  # the cell that counts as a hit
    np.maximum(centres, np.rint(bump * 255).astype(np.uint8), out=centres)


def draw_annotation(annotation: Annotation, view: DoubleArray, size: int) -> NDArray[np.uint8]:
    """`(S, S)` uint8 coverage of an annotation's outline, of its box where it has none; see `draw_outline`."""
    if annotation.rle is not None:
        mask = rle_decode(annotation.rle).astype(np.uint8) * 255
        return np.asarray(warp(mask, view, size, outside=0), np.uint8)
    return draw_outline(annotation.polygons or (_box_outline(annotation.box_xyxy),), view, size)


def _area(annotation: Annotation) -> float:
    """Pixels of the photo that an annotation covers."""
    if annotation.rle is not None:
        return float(rle_area(annotation.rle))
    return sum(polygon_area(polygon) for polygon in annotation.polygons) or _box_area(annotation.box_xyxy)


_SHIFT = 4
_FINER = 4


def draw_outline(polygons: tuple[DoubleArray, ...], view: DoubleArray, size: int) -> NDArray[np.uint8]:
    """`(S, S)` uint8: how much of each pixel of the square the polygons (photo pixels) cover, 255 for all of it.

    OpenCV fills every pixel that an outline touches, which makes a thin scratch twice as wide; so it fills finer ones here, and
    they are averaged.
    """
    mask = np.zeros((size, size), np.uint8)
    for polygon in polygons:
        points = transform_points(polygon, view)
        left, top = np.clip(np.floor(points.min(0)), 0, size).astype(int)
        right, bottom = np.clip(np.ceil(points.max(0)), 0, size).astype(int)
        if left < right and top < bottom:
            finer = np.zeros(((bottom - top) * _FINER, (right - left) * _FINER), np.uint8)
            cv2.fillPoly(finer, [_fixed_point((points - (left, top)) * _FINER)], 255, shift=_SHIFT)
            covered = cv2.resize(finer, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
            np.maximum(mask[top:bottom, left:right], covered, out=mask[top:bottom, left:right])
    return mask


def _fixed_point(points: DoubleArray) -> NDArray[np.int32]:
    """Points in OpenCV's fixed-point pixels, whose centres are integers."""
    return np.rint((points - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _outside(photo_hw: tuple[int, int], view: DoubleArray, size: int) -> BoolArray:
    """`(S, S)`: what lies beyond the photo's edges, where the picture is mirrored and the truth unknown."""
    height, width = photo_hw
    return np.asarray(draw_outline((_box_outline((0, 0, width, height)),), view, size) < 128, np.bool_)


def _box_outline(box: tuple[float, float, float, float]) -> DoubleArray:
    x_min, y_min, x_max, y_max = box
    return np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]], np.float64)


def _box_area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


class MixedBatches:
    """Batches with a fixed number of photos from each source, each source shuffled anew every time it is used up.

    Round `n` is the same whether the run came to it or was resumed at it.
    """

    def __init__(self, sources: list[list[Sample]], recipe: Recipe, *, first_round: int = 0) -> None:
        self.decks = [_deck(source, samples) for source, samples in zip(recipe.data.train, sources, strict=True)]
        self.per_batch = [source.per_batch for source in recipe.data.train]
        self.seed = recipe.seed
        self.steps = recipe.schedule.round
        data = recipe.data
        self.size, self.mosaic = data.size, data.mosaic
        self.final_size = data.final_size or data.size
        self.final_mosaic = data.mosaic if data.final_mosaic is None else data.final_mosaic
        self.decay_from = recipe.schedule.decay_from
        self.round = first_round

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Draw]]:
        orders: dict[tuple[int, int], IntArray] = {}
        for step in range(self.round * self.steps, (self.round + 1) * self.steps):
            batch: list[Draw] = []
            falling = step >= self.decay_from
            size, mosaic = (self.final_size, self.final_mosaic) if falling else (self.size, self.mosaic)
            for source, (deck, count) in enumerate(zip(self.decks, self.per_batch, strict=True)):
                for slot in range(step * count, (step + 1) * count):
                    lap, place = divmod(slot, len(deck))
                    if (source, lap) not in orders:
                        orders[source, lap] = np.random.default_rng((self.seed, source, lap)).permutation(len(deck))
                    number = step * sum(self.per_batch) + len(batch)
                    batch.append(Draw(source, deck[orders[source, lap][place]], number, size, mosaic))
            yield batch


def _deck(source: SourceRecipe, samples: list[Sample]) -> list[int]:
    """Indices of the photos, those with rare types more than once."""
    deck = []
    for index, sample in enumerate(samples):
        times = max([1.0, *(source.repeat.get(damage.name, 1.0) for damage in sample.damages)])
        deck.extend([index] * round(times))
    return deck
