"""`channel_figures`: mean and standard deviation of a data set's channels, as networks are normalised by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing

import numpy as np

from dentify.arrays import DoubleArray, Photo
from dentify.datasets.label_set import OnInvalid
from dentify.datasets.sample import Sample
from dentify.datasets.sample_picture import decode_picture
from dentify.errors import DatasetError
from dentify.in_order import map_in_order
from dentify.settings import Settings
from dentify.strict import Strict

_LEVELS = np.arange(256) / 255


class ChannelFigures(Strict):
    """Red, green and blue, 0 to 1.

    Attributes:
        split: of which photos; empty where the data set has no splits.
        photos: how many.
        mean, std: over the pixels of all photos, where each photo weighs the same, whatever its size.
    """

    split: str
    photos: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def channel_figures(
    samples: Iterable[Sample],
    split: str = "train",
    *,
    workers: int = 2,
    on_invalid: OnInvalid | None = None,
    settings: Settings | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> ChannelFigures:
    """Mean and standard deviation of each channel, photo by photo, in memory for some photos a worker.

    Photos are taken at full size. Where no photo has a split, all are taken.

    Args:
        samples: of all splits.
        split: of which photos.
        workers: pictures in work at a time.
        on_invalid: is given what is wrong with a picture that cannot be read, which is then left out; without it that raises.
        settings: the limits.
        on_photo: called after each photo that is taken, for progress.

    Raises:
        DatasetError: a picture cannot be read, or no photo is of the split.
    """
    settings = settings or Settings()
    sums: dict[str | None, DoubleArray] = {split: np.zeros((2, 3)), None: np.zeros((2, 3))}
    photos: Counter[str | None] = Counter()
    splits: set[str | None] = set()

    def of_split(samples: Iterable[Sample]) -> Iterable[Sample]:
        for sample in samples:
            splits.add(sample.split)
            # photos without a split count only as long as no other has one
            if sample.split == split or splits == {None}:
                yield sample

    def measure(sample: Sample) -> DoubleArray | DatasetError:
        try:
            return _moments(decode_picture(sample, settings).image)
        except DatasetError as error:
            return error

    with closing(map_in_order(measure, of_split(samples), workers=workers)) as measured:  # type: ignore[type-var]  # a generator
        for sample, found in measured:
            if not isinstance(found, DatasetError):
                sums[sample.split] += found
                photos[sample.split] += 1
            elif on_invalid is None:
                raise found
            else:
                on_invalid(found)
            on_photo()
    taken = None if splits == {None} else split
    if not photos[taken]:
        told = ", ".join(sorted(one for one in splits if one)) or "none"
        raise DatasetError(f"no photo of split {split!r} that can be read; the data set has {told}")
    mean, square = sums[taken] / photos[taken]
    std = np.sqrt(np.maximum(square - mean**2, 0.0))
    return ChannelFigures(split=taken or "", photos=photos[taken], mean=_rounded(mean), std=_rounded(std))


def _moments(image: Photo) -> DoubleArray:
    """`(2, 3)` mean and mean square of the channels, 0 to 1, exact: counted by level."""
    counts = np.stack([np.bincount(image[:, :, channel].ravel(), minlength=256) for channel in range(3)])
    shares = counts / (image.shape[0] * image.shape[1])
    return np.stack([shares @ _LEVELS, shares @ _LEVELS**2])


def _rounded(values: DoubleArray) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 6) for value in values)
    return red, green, blue
