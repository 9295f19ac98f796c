"""Features of photos by a backbone that learns nothing: computed once, kept on the disk, and taken for pictures by the head.

They lie under a key of all that they follow from: the backbone's weights, the size, mean and deviation of the pictures, and the
bytes of the photo. So another run, or another recipe with the same backbone, finds them, and none finds those of another.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from dentify.arrays import FloatArray
from dentify.datasets.sample import Sample
from dentify.errors import ConfigError
from dentify.imaging.decode import decode_photo
from dentify.imaging.views import whole_view
from dentify.runtime.preprocess import resize
from dentify.settings import Settings
from dentify.training.batches import Batch, truth_of
from dentify.training.compose import Draw
from dentify.training.distil import Teacher
from dentify.training.heads import Head
from dentify.training.kept_files import KeptFiles
from dentify.training.memory import enough_memory
from dentify.training.models.network import normalised
from dentify.training.scene import Placed, Scene

BATCH = 16


class KeptFeatures:
    """What a backbone says of photos, each whole and stretched to a square.

    Args:
        network: with `features`, its mean and deviation.
        size: side of the square in pixels.
        folder: where features are kept, in a folder of their own for each backbone and size.
        settings: limits on photos.

    Raises:
        ConfigError: the network has no features of photos as a whole.
    """

    def __init__(self, network: nn.Module, size: int, folder: Path, settings: Settings | None = None) -> None:
        if not hasattr(network, "features"):
            raise ConfigError(
                "phases with `bottleneck` are of networks such as timm_classifier, which answer from one vector a photo"
            )
        self._network: Any = network
        self._size = size
        self._settings = settings or Settings()
        self._files = KeptFiles(folder / _key(network, size), self._settings)

    def prepare(self, samples: Sequence[Sample], on_photo: Callable[[], object] = lambda: None) -> None:
        """Computes what is not kept yet.

        Raises:
            ImageError: a photo cannot be read.
            OutputError: features cannot be written.
        """
        missing = {path: sample for sample in samples if not (path := self._files.of(sample)).is_file()}
        self._network.eval()
        device = next(self._network.parameters()).device
        pictures = _Pictures(list(missing.values()), self._size, self._settings)
        paths = iter(missing)
        for images, sizes in DataLoader(pictures, batch_size=BATCH, num_workers=0):
            what = f"{BATCH} photos at {self._size} × {self._size} pixels"
            with torch.inference_mode(), enough_memory(what, "lower the `size` of the phase"):
                features = self._network.features(normalised(images.to(device), self._network.mean, self._network.std))
            for vector, hw in zip(features.float().cpu().numpy(), sizes.numpy(), strict=True):
                file = io.BytesIO()
                np.savez(file, features=vector, hw=hw)
                self._files.keep(next(paths), file.getvalue())
                on_photo()

    def of(self, sample: Sample) -> tuple[FloatArray, tuple[int, int]]:
        """`(C,)` features of a photo, and its height and width.

        Raises:
            ConfigError: what is kept of it is missing or broken.
        """
        path = self._files.of(sample)
        try:
            with path.open("rb") as file, np.load(file) as kept:
                height, width = kept["hw"].tolist()
                return kept["features"], (height, width)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise ConfigError(f"{path}: cannot be read as a photo's features; remove it, and they are computed anew") from error


class Bottlenecks(Dataset[Batch]):
    """Features in place of pictures, with the truth of whole photos and what a teacher says of them, by `Draw`."""

    def __init__(
        self,
        kept: KeptFeatures,
        sets: Sequence[Sequence[Sample]],
        heads: Mapping[str, Head],
        teacher: Teacher | None = None,
    ) -> None:
        self._kept = kept
        self._sets = sets
        self._heads = heads
        self._teacher = teacher
        self._seen: dict[tuple[int, int], Batch] = {}

    def __getitem__(self, draw: Draw) -> Batch:
        place = (draw.photos, draw.photo)
        if place not in self._seen:
            sample = self._sets[draw.photos][draw.photo]
            features, hw = self._kept.of(sample)
            blank = np.broadcast_to(np.zeros((1, 1, 1), np.uint8), (draw.size, draw.size, 3))
            placed = Placed.photo(sample, whole_view(hw, (draw.size, draw.size)), (0, 0, draw.size, draw.size), hw)
            scene = Scene(blank, (placed,))
            truth = truth_of(scene, self._heads, self._teacher)
            self._seen[place] = {"image": torch.from_numpy(features), **truth}
        return self._seen[place]


class _Pictures(Dataset[Any]):
    """Whole photos, stretched as in serving, and their heights and widths."""

    def __init__(self, samples: Sequence[Sample], size: int, settings: Settings) -> None:
        self._samples = samples
        self._size = size
        self._settings = settings

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        sample = self._samples[index]
        photo = decode_photo(sample.read(self._settings), where=sample.name, settings=self._settings, enough_side=self._size)
        return torch.from_numpy(resize(photo.image, (self._size, self._size))), torch.tensor(photo.photo_hw)


def _key(network: nn.Module, size: int) -> str:
    """Of a backbone's weights and of what it takes."""
    digest = hashlib.sha256(repr((size, network.mean, network.std)).encode())
    for name, value in sorted(network.backbone.state_dict().items()):  # type: ignore[union-attr]  # beside `features`
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
