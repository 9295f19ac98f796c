"""Where what was computed of a photo is kept: under the hash of its bytes, whatever it is called and wherever it lies."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dentify.datasets.sample import Sample
from dentify.settings import Settings
from dentify.writing import write_whole


class KeptFiles:
    """The files of photos in one folder. A photo's own file is read once for it.

    Args:
        folder: where they are.
        settings: limits on photos.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._paths: dict[Path, Path] = {}

    def of(self, sample: Sample) -> Path:
        """The photo's file, whether it is there or not."""
        image = sample.image
        if isinstance(image, bytes):
            return self._path(image)
        if image not in self._paths:
            self._paths[image] = self._path(sample.read(self._settings))
        return self._paths[image]

    def keep(self, path: Path, data: bytes) -> None:
        """Writes a photo's file, which other runs that keep theirs in the same folder may be writing, too.

        Raises:
            OutputError: it cannot be written.
        """
        write_whole({path: data}, shared=True)

    def _path(self, data: bytes) -> Path:
        return self._folder / f"{hashlib.sha256(data).hexdigest()}.npz"
