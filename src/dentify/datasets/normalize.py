"""`channel_figures`: mean and standard deviation of a data set's channels, as networks are normalised by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from dentify.assessor import map_in_order
from dentify.datasets.sample import Sample
from dentify.errors import DatasetError, ImageError
from dentify.imaging.decode import Photo, decode_photo
from dentify.settings import Settings

_LEVELS = np.arange(256) / 255


class ChannelFigures(BaseModel):
    """Red, green and blue, 0 to 1.

    Attributes:
        split: of which photos; empty where the data set has no splits.
        photos: how many; each counts the same, whatever its size.
        mean, std: over all pixels of all photos.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: str
    photos: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def channel_figures(
    samples: Iterable[Sample],
    split: str = "train",
    *,
    workers: int = 2,
    settings: Settings | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> ChannelFigures:
    """Mean and standard deviation of each channel, photo by photo, in memory for one photo a worker.

    Photos are taken at full size. Where no photo has a split, all are taken.

    Raises:
        DatasetError: a picture cannot be read, or no photo is of the split.
    """
    settings = settings or Settings()
    means = np.zeros(3)
    squares = np.zeros(3)
    photos = 0
    splits: set[str | None] = set()

    def of_split(samples: Iterable[Sample]) -> Iterable[Sample]:
        for sample in samples:
            splits.add(sample.split)
            if sample.split in (split, None):
                yield sample

    def measure(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        try:
            return _moments(decode_photo(sample.read(settings), where=sample.name, settings=settings).image)
        except ImageError as error:
            raise DatasetError(f"{sample.where}: {error}", kind="broken picture") from error

    with closing(map_in_order(measure, of_split(samples), workers=workers)) as measured:  # type: ignore[type-var]  # a generator
        for sample, (mean, square) in measured:
            if sample.split is None and splits != {None}:
                continue
            means += mean
            squares += square
            photos += 1
            on_photo()
    if not photos:
        told = ", ".join(sorted(one for one in splits if one)) or "none"
        raise DatasetError(f"no photo of split {split!r}; the data set has {told}")
    mean = means / photos
    std = np.sqrt(np.maximum(squares / photos - mean**2, 0.0))
    return ChannelFigures(split="" if splits == {None} else split, photos=photos, mean=_rounded(mean), std=_rounded(std))


def _moments(image: Photo) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(3,)` mean and mean square of the channels, 0 to 1, exact: counted by level."""
    counts = np.stack([np.bincount(image[:, :, channel].ravel(), minlength=256) for channel in range(3)])
    shares = counts / (image.shape[0] * image.shape[1])
    return shares @ _LEVELS, shares @ _LEVELS**2


def _rounded(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 6) for value in values)
    return red, green, blue
