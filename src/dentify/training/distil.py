"""A teacher: a bundle, however large, whose answers to whole photos a smaller network learns from beside the labels.

    distil: {teacher: ../bundles/teacher, temperature: 2, weight: 1}

The teacher looks at each photo once, as it is and undistorted, and what it says is kept beside the runs, about 140 KB a photo. A
training picture shows its maps as it shows outlines, through the same view; so they teach in every window, mosaic and phase,
photos without labels, too, at the price of a file that is read. What it says of the photo as a whole holds for pictures that show
most of that photo and nothing else. What was pasted on is not the teacher's to judge.

Maps of damage learn from it by the losses of their head, as they do from labels; all else by how far logits are apart.

Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": logits at a temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, FloatArray
from dentify.bundle.open import Bundle
from dentify.datasets.sample import Sample
from dentify.errors import ConfigError
from dentify.imaging.decode import decode_photo
from dentify.imaging.views import is_mirrored, moved_view
from dentify.runtime.networks import Networks
from dentify.settings import Settings
from dentify.taxonomy import mirrored_part
from dentify.training.answers import STEPS, Kept, answered, channel_names, key_of, pack, unpack
from dentify.training.heads import Head
from dentify.training.heads.head import MOST_OF_PHOTO
from dentify.training.kept_files import KeptFiles
from dentify.training.scene import Placed, Scene, cells_of

_FORMAT = 2
"""Of what is kept; what another version of Dentify kept is left alone."""


class Teacher:
    """What a bundle says of photos, for the heads that ask what it answers.

    Args:
        bundle: of the teacher.
        heads: of the network that learns.
        folder: where its answers are kept.
        only: names of the heads that learn from it; empty: all that it answers.
        files: makes the bundle's files when a photo is first looked at, in place of its own.
        settings: limits on photos.

    Raises:
        ConfigError: it answers nothing that the heads ask, or not what one of `only` does.
    """

    def __init__(
        self,
        bundle: Bundle,
        heads: Mapping[str, Head],
        folder: Path,
        *,
        only: Collection[str] = (),
        files: Callable[[], Mapping[str, bytes]] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._bundle = bundle
        self._networks = files or (lambda: bundle.files)
        self._told: dict[str, tuple[str, ...]] = {}
        refused = []
        for name in only or heads:
            try:
                self._told[name] = answered(bundle.manifest, heads[name])
            except ConfigError as error:
                refused.append(f"heads.{name} {error}")
        if refused and only:
            raise ConfigError(f"distil.heads: {bundle.where} does not teach all of them: {'; '.join(refused)}")
        if not self._told:
            raise ConfigError(f"distil.teacher: {bundle.where} answers nothing that the heads ask: {'; '.join(refused)}")
        self._heads = {name: head for name, head in heads.items() if name in self._told}
        keys = {key_of(head) for head in self._heads.values()}
        self._keys = keys | ({"damage"} if "severity" in keys else set())
        self._settings = settings or Settings()
        self._files = KeptFiles(folder / f"{bundle.sha256[:12]}-{_FORMAT}", self._settings)

    def __getstate__(self) -> dict[str, Any]:
        """Without its networks: a process that shows pictures looks at no photo."""
        return {name: value for name, value in self.__dict__.items() if name != "_networks"}

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that it teaches."""
        return tuple(self._heads)

    def prepare(self, samples: Iterable[Sample], on_photo: Callable[[], object] = lambda: None) -> None:
        """Looks at every photo that it did not see before.

        Raises:
            ImageError: a photo cannot be read.
            OutputError: its answers cannot be kept.
        """
        manifest = self._bundle.manifest
        networks: Networks | None = None
        for sample in samples:
            path = self._files.of(sample)
            if not path.is_file():
                networks = networks or Networks(manifest, self._networks(), threads=None, where=self._bundle.where)
                data = sample.read(self._settings)
                photo = decode_photo(data, where=sample.name, settings=self._settings, enough_side=networks.enough_side)
                answers = networks.ask(photo.image, photo_hw=photo.photo_hw)
                self._files.keep(path, pack(answers, manifest, photo.photo_hw))
            on_photo()

    def teaches(self) -> dict[str, set[str]]:
        """By head, those of its names that the teacher could teach."""
        return {name: self._common(head, self._told_apart(head)) for name, head in self._heads.items()}

    def shown(self, samples: Iterable[Sample]) -> dict[str, set[str]]:
        """By head, those of its names that the teacher tells of some of the photos, and so teaches by example."""
        told: dict[str, BoolArray] = {}
        for sample in samples:
            kept = unpack(self._files.of(sample), [f"told_{key}" for key in self._keys])
            for key, channels in kept.items():
                told[key] = told[key] | channels if key in told else channels
        shown = {}
        for name, head in self._heads.items():
            anywhere = told.get(f"told_{key_of(head)}")
            names = [] if anywhere is None else np.array(self._told_apart(head))[anywhere].tolist()
            shown[name] = self._common(head, names)
        return shown

    def _told_apart(self, head: Head) -> tuple[str, ...]:
        """What the teacher tells apart where it answers a head's question; of a gate both answers."""
        return head.names if head.role.endswith("_gate") else self._told[head.name]

    @staticmethod
    def _common(head: Head, names: Collection[str]) -> set[str]:
        """Names that a head knows, too, of photos or of mirrored ones."""
        return {*names, *map(mirrored_part, names)} & set(head.names)

    def says(self, scene: Scene) -> dict[str, NDArray[Any]]:
        """By head, logits for a picture, NaN where the teacher says nothing: `(C, h, w)` on its cells, or `(C,)`."""
        maps = {name: head for name, head in self._heads.items() if head.kind == "maps"}
        labels = {name: head for name, head in self._heads.items() if name not in maps}
        told: dict[str, NDArray[Any]] = {name: np.full(head.output.channels, np.nan, np.float32) for name, head in labels.items()}
        for name, head in maps.items():
            side = scene.size // _stride(head)
            told[name] = np.full((head.output.channels, side, side), np.nan, np.float16)
        for placed in scene.photos:
            kept = unpack(self._files.of(placed.sample), self._keys)
            for name, head in maps.items():
                told[name][(slice(None), *cells_of(placed.window, _stride(head)))] = self._seen(kept, placed, head)
            if placed is scene.whole and not scene.pasted and placed.shown > MOST_OF_PHOTO:
                for name, head in labels.items():
                    told[name][:] = self._of_photo(kept, head)
        for damage in (damage for placed in scene.pasted for damage in placed.damages):
            for name, head in maps.items():
                told[name][(slice(None), *damage.cells(_stride(head)))][:, damage.at(_stride(head)) > 0] = np.nan
        return told

    def _of_photo(self, kept: Kept, head: Head) -> NDArray[np.float32]:
        """A photo's logits as a whole, its channels those of the head."""
        told = np.full(head.output.channels, np.nan, np.float32)
        logits, names = kept.get(key_of(head)), self._told[head.name]
        for channel, name in enumerate(channel_names(head)):
            if logits is not None and name in names:
                told[channel] = logits[names.index(name)]
        return told

    def _seen(self, kept: Kept, placed: Placed, head: Head) -> NDArray[np.float16]:
        """A photo's maps on the cells of its window, its channels those of the head."""
        stride = _stride(head)
        height, width = (side // stride for side in placed.window_hw)
        told = np.full((head.output.channels, height, width), np.nan, np.float16)
        maps = kept.get(key_of(head))
        if maps is None:
            return told
        names = self._told[head.name]
        if is_mirrored(placed.view):
            names = tuple(mirrored_part(name) for name in names)
        view = moved_view(placed.view, placed.window[:2])
        for channel, name in enumerate(channel_names(head)):
            if name in names:
                told[channel] = _shown(maps[names.index(name)], view, placed, stride, (height, width))
        told[:, placed.outside[stride // 2 :: stride, stride // 2 :: stride]] = np.nan
        if head.role == "severity" and "damage" in kept:  # how bad what is not damaged is, nobody asks
            damaged = _shown(kept["damage"].max(0), view, placed, stride, (height, width))
            told[:, damaged <= 0] = np.nan
        return told


def _stride(head: Head) -> int:
    assert head.output.stride is not None
    return head.output.stride


def _shown(steps: NDArray[np.int8], view: NDArray[np.float64], placed: Placed, stride: int, hw: tuple[int, int]) -> FloatArray:
    """A kept map's logits on the cells of a window."""
    (photo_h, photo_w), (rows, columns) = placed.photo_hw, steps.shape
    onto = view @ np.diag([photo_w / columns, photo_h / rows, 1.0]) / stride
    return _warped(steps.astype(np.float32) / STEPS, onto, hw)


def _warped(values: FloatArray, view: NDArray[np.float64], hw: tuple[int, int]) -> NDArray[Any]:
    """A map as a view shows it; its border goes on beyond its edges, where nobody looks."""
    centred = view.copy()
    centred[:, 2] += view[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV's pixel centres are integers, ours are halves
    how: dict[str, Any] = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    return np.asarray(cv2.warpAffine(values, centred, hw[::-1], **how))
