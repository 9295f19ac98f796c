"""A teacher: a bundle, however large, whose maps of whole photos a smaller network learns from beside the labels.

    distil: {teacher: ../bundles/teacher, temperature: 2, weight: 1}

The teacher looks at each photo once, as it is and undistorted, and its maps are kept beside the runs, about 120 KB a photo. A
training picture shows them as it shows outlines, through the same view; so they teach in every window, mosaic and phase, photos
without labels, too, at the price of a file that is read. What was pasted on is not the teacher's to judge.

Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": logits at a temperature.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Mapping
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
from dentify.imaging.views import is_mirrored, moved_view
from dentify.runtime.networks import Answers, Networks
from dentify.settings import Settings
from dentify.taxonomy import mirrored_part
from dentify.training.heads import Head
from dentify.training.kept_files import KeptFiles
from dentify.training.scene import Placed, Scene, cells_of

DAMAGE_CELLS, PART_CELLS = 112, 56
"""Cells along a side of what is kept: a quarter and an eighth of a picture of 448 pixels."""
STEPS = 10.0
"""Of kept logits, a unit; they are cut at ±12."""
Kept = Mapping[str, NDArray[np.int8]]


class Teacher:
    """What a bundle says of photos, for the heads that ask what it answers.

    Args:
        bundle: of the teacher.
        heads: of the network that learns.
        folder: where its maps are kept.
        only: names of the heads that learn from it; empty: all that it answers.

    Raises:
        ConfigError: it answers nothing that the heads ask.
    """

    def __init__(self, bundle: Bundle, heads: Mapping[str, Head], folder: Path, *, only: Collection[str] = ()) -> None:
        self._bundle = bundle
        heads = {name: head for name, head in heads.items() if not only or name in only}
        told = {name: self._names(head) for name, head in heads.items()}
        self._heads = {name: heads[name] for name, names in told.items() if set(names) & set(_names(heads[name]))}
        self._told = told
        self._settings = Settings()
        self._files = KeptFiles(folder / bundle.sha256[:12], self._settings)
        if not self._heads:
            raise ConfigError(f"distil.teacher: {bundle.where} answers with maps nothing that the heads ask")

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that it teaches."""
        return tuple(self._heads)

    def prepare(self, samples: Iterable[Sample], on_photo: Callable[[], object] = lambda: None) -> None:
        """Looks at every photo that it did not see before.

        Raises:
            ImageError: a photo cannot be read.
            OutputError: the maps cannot be kept.
        """
        networks: Networks | None = None
        for sample in samples:
            path = self._files.of(sample)
            if not path.is_file():
                networks = networks or Networks(self._bundle.manifest, self._bundle.files, threads=None, where=self._bundle.where)
                data = sample.read(self._settings)
                photo = decode_photo(data, where=sample.name, settings=self._settings, enough_side=networks.enough_side)
                self._files.keep(path, _packed(networks.ask(photo.image)))
            on_photo()

    def says(self, scene: Scene) -> dict[str, NDArray[np.float16]]:
        """By head, `(C, h, w)` logits on the cells of a picture, NaN where the teacher says nothing."""
        told = {}
        for name, head in self._heads.items():
            side = scene.size // _stride(head)
            told[name] = np.full((head.output.channels, side, side), np.nan, np.float16)
        for placed in scene.photos:
            kept = self._kept(placed.sample)
            for name, head in self._heads.items():
                told[name][(slice(None), *cells_of(placed.window, _stride(head)))] = self._seen(kept, placed, head)
        for damage in (damage for placed in scene.pasted for damage in placed.damages):
            for name, head in self._heads.items():
                told[name][(slice(None), *damage.cells(_stride(head)))][:, damage.at(_stride(head)) > 0] = np.nan
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
        return head.names if head.auxiliary in ("any", "vehicle") and head.auxiliary in manifest.roles.damage[0].auxiliary else ()

    def _kept(self, sample: Sample) -> Kept:
        """The maps of a photo; none where the teacher did not look at it."""
        path = self._files.of(sample)
        if not path.is_file():
            return {}
        with np.load(path) as kept:
            return dict(kept)

    def _seen(self, kept: Kept, placed: Placed, head: Head) -> NDArray[np.float16]:
        """A photo's maps on the cells of its window, its channels those of the head."""
        stride = _stride(head)
        height, width = (side // stride for side in placed.window_hw)
        told = np.full((head.output.channels, height, width), np.nan, np.float16)
        maps = kept.get(_key(head))
        if maps is None:
            return told
        photo_h, photo_w = placed.photo_hw
        rows, columns = maps.shape[1:]
        view = moved_view(placed.view, placed.window[:2]) @ np.diag([photo_w / columns, photo_h / rows, 1.0]) / stride
        names = self._told[head.name]
        if is_mirrored(placed.view):
            names = tuple(mirrored_part(name) for name in names)
        for channel, name in enumerate(_names(head)):
            if name in names:
                told[channel] = _warped(maps[names.index(name)].astype(np.float32) / STEPS, view, (height, width))
        told[:, placed.outside[stride // 2 :: stride, stride // 2 :: stride]] = np.nan
        return told


_NONE = "none"


def _names(head: Head) -> tuple[str, ...]:
    """Of a head's channels."""
    return (*head.names, _NONE)[: head.output.channels] if head.role == "parts" else head.names


def _stride(head: Head) -> int:
    assert head.output.stride is not None
    return head.output.stride


def _key(head: Head) -> str:
    """What the maps of a head are kept as."""
    return "parts" if head.role == "parts" else head.auxiliary or "types"


def _packed(answers: Answers) -> bytes:
    """The maps of a photo as they are kept: an `.npz` of steps."""
    maps = {**answers.auxiliary, "types": answers.types, "parts": answers.parts}
    arrays: dict[str, Any] = {
        name: _coarse(values, PART_CELLS if name == "parts" else DAMAGE_CELLS)
        for name, values in maps.items()
        if values is not None and name in ("types", "any", "vehicle", "parts")
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _coarse(maps: FloatArray, finest: int) -> NDArray[np.int8]:
    """Logits on a grid of no more cells along a side than this, in steps."""
    hw = tuple(min(side, finest) for side in maps.shape[1:])
    small = [cv2.resize(one, hw[::-1], interpolation=cv2.INTER_AREA) for one in maps]
    return np.asarray(np.rint(np.clip(np.stack(small), -12, 12) * STEPS), np.int8)


def _warped(values: FloatArray, view: NDArray[np.float64], hw: tuple[int, int]) -> NDArray[Any]:
    """A map as a view shows it; its border goes on beyond its edges, where nobody looks."""
    centred = view.copy()
    centred[:, 2] += view[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV's pixel centres are integers, ours are halves
    how: dict[str, Any] = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    return np.asarray(cv2.warpAffine(values, centred, hw[::-1], **how))
