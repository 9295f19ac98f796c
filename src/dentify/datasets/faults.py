"""What does not hold in a data set, handed on photo by photo and label by label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dentify.datasets.label_set import OnInvalid
from dentify.datasets.pictures import is_file
from dentify.errors import DatasetError

_FAULTS_FREE, _FAULT_BYTES = 20_000, 120  # things that do not hold, and bytes of labels for each further one: it takes a kilobyte


class Faults:
    """Hands on what does not hold, as long as it is in proportion to the bytes of the labels.

    Args:
        path: of the data set.
        on_invalid: is given what does not hold.
        files: of its labels.
    """

    def __init__(self, path: Path, on_invalid: OnInvalid, files: Sequence[Path]) -> None:
        self.count = 0
        self._path, self._on_invalid, self._files = path, on_invalid, files
        self._most: int | None = None

    def __call__(self, error: DatasetError) -> None:
        """Hands it on.

        Raises:
            DatasetError: there are too many; from then on at every further one.
        """
        self.count += 1
        if self.count > _FAULTS_FREE:
            if self._most is None:
                self._most = _FAULTS_FREE + sum(one.stat().st_size for one in self._files if is_file(one)) // _FAULT_BYTES
            if self.count > self._most:
                told = f"more than {self._most:,} photos and labels do not hold, with which"
                raise DatasetError(
                    f"{self._path}: {told} it ends; are these its labels, and its pictures there, as --images may say?"
                    f" One of them: {error}",
                    kind=error.kind,
                )
        self._on_invalid(error)
