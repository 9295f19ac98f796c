"""A page of training pictures with their truth drawn on, as the network will see them.

dentify train default --data DIR --show 16 -o page.png
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from dentify.arrays import Photo
from dentify.errors import ConfigError, OutputError
from dentify.settings import Settings
from dentify.taxonomy import RGB, damage_colour, part_colour
from dentify.training.batches import MixedBatches, deck_of
from dentify.training.compose import Composer
from dentify.training.photos import read_run_photos
from dentify.training.recipe import Recipe, in_steps
from dentify.training.scene import Placed, Region, Scene
from dentify.writing import write_whole

_SUFFIXES = (".png", ".jpg", ".webp")
_GAP = 6


def show_pictures(recipe: Recipe, *, data: Path, output: Path, count: int, settings: Settings | None = None) -> Path:
    """Writes a page of the first training pictures of a recipe: damages filled and outlined in their colour, parts outlined.

    Args:
        recipe: of the run.
        data: folder that the recipe's paths are relative to.
        output: a picture file to write, which is not there yet.
        count: of pictures.
        settings: limits on photos and labels.

    Raises:
        ConfigError: the file's name is of no kind of picture that is written.
        DatasetError: photos cannot be read.
        OutputError: the file is there already, or cannot be written.
    """
    if output.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"{output}: name a file that ends in {', '.join(_SUFFIXES)}")
    if output.exists():  # it may be one of the photos
        raise OutputError(f"{output}: is there already; name another file, or move it away")
    sets = read_run_photos(recipe, data, settings=settings).taught
    composer = Composer(sets, recipe.augment, seed=recipe.seed, pasteable=recipe.classes.damage, settings=settings)
    recipe = in_steps(recipe, [len(deck_of(photos, samples)) for photos, samples in zip(recipe.data.train, sets, strict=True)])
    draws = (draw for batch in MixedBatches(sets, recipe, steps=range(recipe.steps)) for draw in batch)
    pictures = [draw_scene(composer.compose(draw)) for _, draw in zip(range(count), draws, strict=False)]
    done, coded = cv2.imencode(output.suffix.lower(), cv2.cvtColor(_sheet(pictures), cv2.COLOR_RGB2BGR))
    assert done
    write_whole({output: coded.tobytes()})
    return output


def draw_scene(scene: Scene) -> Photo:
    """A scene's picture with its annotations; white frames are those of a mosaic's photos."""
    canvas = scene.image.copy()
    for placed in scene.photos:
        for part in placed.parts:
            _outline(canvas, part, part_colour(part.annotation.name), thickness=1, fill=0.0)
    for damage in scene.damages:
        _outline(canvas, damage, damage_colour(damage.annotation.name), thickness=2, fill=0.35)
    for placed in scene.photos if len(scene.photos) > 1 else ():
        left, top, right, bottom = placed.window
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), (255, 255, 255), 1)
    cv2.putText(canvas, _told(scene), (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(canvas, _told(scene), (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def _told(scene: Scene) -> str:
    """What a picture shows, in a few words."""
    names = dict.fromkeys(damage.annotation.name for damage in scene.damages)
    kind = "mosaic" if scene.whole is None else "pasted" if scene.pasted else _kind(scene.whole)
    return f"{kind}: {', '.join(names)}" if names else kind


def _kind(placed: Placed) -> str:
    sample = placed.sample
    return "no vehicle" if sample.vehicle is False else "sound" if sample.damage is False else sample.source or "photo"


def _outline(canvas: Photo, region: Region, colour: RGB, *, thickness: int, fill: float) -> None:
    """Draws a region onto a canvas that is this module's own."""
    left, top, right, bottom = region.window
    window = canvas[top:bottom, left:right]
    mask = region.cover > 127
    window[mask] = ((1 - fill) * window[mask] + fill * np.array(colour)).astype(np.uint8)
    rims, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(canvas, rims, -1, colour, thickness, cv2.LINE_AA, offset=(left, top))


def _sheet(pictures: list[Photo]) -> Photo:
    """Pictures in rows, as square as may be."""
    side = max(picture.shape[0] for picture in pictures)
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    sheet = np.full((rows * (side + _GAP) + _GAP, columns * (side + _GAP) + _GAP, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        top, left = _GAP + row * (side + _GAP), _GAP + column * (side + _GAP)
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet
