"""`pictures.png` of a run: what it learns from, and photos of val with the truth above what the network says of them.

The first is drawn after a minute, later ones now and then: they take a thirtieth of the run's time at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from dentify.arrays import Photo
from dentify.datasets.sample import Sample, spread
from dentify.settings import Settings
from dentify.taxonomy import damage_colour
from dentify.training.compose import whole_scene
from dentify.training.heads import Head
from dentify.training.scene import Scene
from dentify.training.show import draw_scene
from dentify.writing import write_whole

PICTURES = "pictures.png"
_FIRST_S = 60.0
_SHARE = 30
_COLUMNS = 6
_SIDE = 256
_STRIP = 22  # pixels above a row, for what it shows
_GAP = 6
Answers = Callable[[Tensor], Mapping[str, Tensor]]
"""`(B, S, S, 3)` uint8 photos to logits by head."""


class RunPictures:
    """When they are drawn, and of what.

    Args:
        folder: the run's.
        scenes: makes the training pictures to show, once.
        judges: the photos of val.
        size: side at which the network sees these.
        heads: of the network.
        settings: limits on photos.
    """

    def __init__(
        self,
        folder: Path,
        scenes: Callable[[int], Sequence[Scene]],
        judges: Sequence[Sample],
        size: int,
        heads: Mapping[str, Head],
        settings: Settings | None = None,
    ) -> None:
        self._path = folder / PICTURES
        self._settings = settings or Settings()
        self._scenes = scenes
        self._judges = spread(judges, _COLUMNS)
        self._size = size
        self._maps = next(
            (one for one in heads.values() if one.kind == "maps" and one.role == "damage" and one.auxiliary is None), None
        )
        self._learned: list[Photo] | None = None
        self._next = time.monotonic() + _FIRST_S

    def is_due(self) -> bool:
        """Whether it is time for new ones."""
        return time.monotonic() >= self._next

    def draw(self, answers: Answers) -> None:
        """Draws them anew.

        Raises:
            ImageError: a photo cannot be read.
            OutputError: the file cannot be written.
        """
        began = time.monotonic()
        if self._learned is None:
            self._learned = [draw_scene(scene) for scene in self._scenes(_COLUMNS)]
        judged = [whole_scene(sample, self._size, self._settings) for sample in self._judges]
        rows = [("what it learns from", self._learned)]
        if judged:
            rows.append(("val: truth", [draw_scene(scene) for scene in judged]))
        if judged and self._maps is not None:
            told = []
            for scene in judged:  # one by one: as much memory as a step has is not to be had beside it
                logits = answers(torch.from_numpy(scene.image)[None])[self._maps.name]
                told.append(_told(scene.image, logits[0].float().cpu().numpy() > 0, self._maps.names))
            rows.append(("val: what the network says", told))
        done, coded = cv2.imencode(".png", cv2.cvtColor(_sheet(rows), cv2.COLOR_RGB2BGR))
        assert done
        write_whole({self._path: coded.tobytes()})
        took = time.monotonic() - began
        self._next = time.monotonic() + max(_FIRST_S, _SHARE * took)


def _told(image: Photo, found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], names: Sequence[str]) -> Photo:
    """A picture with maps `(C, h, w)` filled and outlined in the colours of their types."""
    canvas = image.copy()
    for name, cells in zip(names, found, strict=True):
        mask = cv2.resize(cells.astype(np.uint8), canvas.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        canvas[mask > 0] = (0.65 * canvas[mask > 0] + 0.35 * np.array(damage_colour(name))).astype(np.uint8)
        rims, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(canvas, rims, -1, damage_colour(name), 2, cv2.LINE_AA)
    text = ", ".join(name for name, cells in zip(names, found, strict=True) if cells.any()) or "nothing"
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(canvas, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, width, cv2.LINE_AA)
    return canvas


def _sheet(rows: Sequence[tuple[str, Sequence[Photo]]]) -> Photo:
    """Rows of pictures, each below its title."""
    height = _STRIP + _SIDE + _GAP
    sheet = np.full((height * len(rows) + _GAP, _COLUMNS * (_SIDE + _GAP) + _GAP, 3), 255, np.uint8)
    for number, (title, pictures) in enumerate(rows):
        top = _GAP + number * height
        cv2.putText(sheet, title, (_GAP, top + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        for column, picture in enumerate(pictures[:_COLUMNS]):
            left = _GAP + column * (_SIDE + _GAP)
            small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
            sheet[top + _STRIP : top + _STRIP + _SIDE, left : left + _SIDE] = small
    return sheet
