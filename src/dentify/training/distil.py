"""A teacher: a bundle, however large, whose maps of whole photos a smaller network learns from beside the labels.

    distil: {teacher: ../bundles/teacher, temperature: 2, weight: 1}

The teacher looks at each photo once, as it is and undistorted, and its maps are kept beside the runs. A training picture shows
them as it shows outlines, through the same view; so they teach in every window, mosaic and phase, photos without labels, too, and
cost no more than reading a file. What was pasted on is not the teacher's to judge.

Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": logits at a temperature.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import FloatArray
from dentify.bundle.open import Bundle
from dentify.datasets.sample import Sample
from dentify.errors import ConfigError
from dentify.imaging.decode import decode_photo
from dentify.imaging.views import is_mirrored, warp
from dentify.runtime.networks import Answers, Networks
from dentify.settings import Settings
from dentify.taxonomy import mirrored_part
from dentify.training.heads import Head
from dentify.training.scene import Placed, Scene, cells_of
from dentify.writing import write_whole

FINEST = {"damage": 112, "parts": 56}
"""Cells along a side of what is kept: a quarter and an eighth of a picture of 448 pixels."""
STEPS = 10.0
"""Of kept logits, a unit; they are cut at ±12."""


class Teacher:
    """What a bundle says of photos, for the heads that ask what it answers.

    Args:
        bundle: of the teacher.
        heads: of the network that learns.
        folder: where its maps are kept.

    Raises:
        ConfigError: it answers nothing that the heads ask.
    """

    def __init__(self, bundle: Bundle, heads: Mapping[str, Head], folder: Path) -> None:
        self._bundle = bundle
        self._folder = folder / bundle.sha256[:12]
        told = {name: self._names(head) for name, head in heads.items()}
        self._told = {name: names for name, names in told.items() if set(names) & set(_names(heads[name]))}
        if not self._told:
            raise ConfigError(f"distil.teacher: {bundle.where} answers with maps nothing that the heads ask")
        self._settings = Settings()

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that it teaches."""
        return tuple(self._told)

    def prepare(self, samples: Iterable[Sample], on_photo: Callable[[], object] = lambda: None) -> None:
        """Looks at every photo that it did not see before.

        Raises:
            ImageError: a photo cannot be read.
            OutputError: the maps cannot be kept.
        """
        networks: Networks | None = None
        for sample in samples:
            data = sample.read(self._settings)
            path = self._path(data)
            if not path.is_file():
                networks = networks or Networks(self._bundle.manifest, self._bundle.files, threads=None, where=self._bundle.where)
                photo = decode_photo(data, where=sample.name, settings=self._settings, enough_side=networks.enough_side)
                write_whole({path: self._kept(networks.ask(photo.image))})
            on_photo()

    def says(self, scene: Scene, head: Head) -> NDArray[np.float16]:
        """`(C, h, w)` logits on the cells of a picture, NaN where the teacher says nothing."""
        stride = head.output.stride
        assert stride is not None
        side = scene.size // stride
        told = np.full((head.output.channels, side, side), np.nan, np.float16)
        for placed in scene.photos:
            maps = self._read(placed.sample, head)
            if maps is not None:
                told[(slice(None), *cells_of(placed.window, stride))] = self._seen(maps, placed, head, stride)
        for damage in (damage for placed in scene.pasted for damage in placed.damages):
            told[(slice(None), *damage.cells(stride))][:, damage.at(stride) > 0] = np.nan
        return told

    def _names(self, head: Head) -> tuple[str, ...]:
        """Of the channels that the teacher answers a head with."""
        manifest = self._bundle.manifest
        if head.kind != "maps":
            return ()
        if head.role == "parts":
            return (*manifest.classes.parts, _NONE) if manifest.roles.parts else ()
        if head.role != "damage" or not manifest.roles.damage:
            return ()
        if head.auxiliary is None:
            return manifest.classes.damage
        return head.names if head.auxiliary in manifest.roles.damage[0].auxiliary and head.auxiliary in ("any", "vehicle") else ()

    def _kept(self, answers: Answers) -> bytes:
        """The maps of a photo as they are kept: bytes of one array after the other."""
        maps: dict[str, FloatArray] = dict(answers.auxiliary)
        if answers.types is not None:
            maps["types"] = answers.types
        if answers.parts is not None:
            maps["parts"] = answers.parts
        file = io.BytesIO()
        arrays: dict[str, Any] = {
            name: _coarse(maps[name], FINEST.get(name, FINEST["damage"]))
            for name in ("types", "any", "vehicle", "parts")
            if name in maps
        }
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    def _read(self, sample: Sample, head: Head) -> FloatArray | None:
        path = self._path(sample.read(self._settings))
        if not path.is_file():
            return None
        with np.load(path) as kept:
            key = "parts" if head.role == "parts" else head.auxiliary or "types"
            return kept[key].astype(np.float32) / STEPS if key in kept else None

    def _seen(self, maps: FloatArray, placed: Placed, head: Head, stride: int) -> NDArray[np.float16]:
        """A photo's maps on the cells of its window, its channels those of the head."""
        height, width = (side // stride for side in placed.window_hw)
        photo_h, photo_w = placed.photo_hw
        rows, columns = maps.shape[1:]
        view = placed.view.copy()
        view[:, 2] -= placed.window[:2]
        view = view @ np.diag([photo_w / columns, photo_h / rows, 1.0]) / stride
        names = self._told[head.name]
        if is_mirrored(placed.view):
            names = tuple(mirrored_part(name) for name in names)
        told = np.full((head.output.channels, height, width), np.nan, np.float16)
        for channel, name in enumerate(_names(head)):
            if name in names:
                told[channel] = warp(maps[names.index(name)], view, (height, width), outside=_OUTSIDE)
        told[:, placed.outside[stride // 2 :: stride, stride // 2 :: stride]] = np.nan
        return told

    def _path(self, data: bytes) -> Path:
        return self._folder / f"{hashlib.sha256(data).hexdigest()}.npz"


_NONE = "none"
_OUTSIDE = 0


def _names(head: Head) -> tuple[str, ...]:
    """Of a head's channels."""
    return (*head.names, _NONE)[: head.output.channels] if head.role == "parts" else head.names


def _coarse(maps: FloatArray, finest: int) -> NDArray[np.int8]:
    """Logits on a grid of no more cells along a side than this, in steps."""
    hw = tuple(min(side, finest) for side in maps.shape[1:])
    small: Sequence[Any] = [cv2.resize(one, hw[::-1], interpolation=cv2.INTER_AREA) for one in maps]
    return np.asarray(np.rint(np.clip(np.stack(small), -12, 12) * STEPS), np.int8)
