"""`Foremost`: of photos offered one by one the few of the highest rank, as small pictures.

Each is drawn as soon as it is among them, while its file is at hand, and memory does not grow with the photos.
"""

from __future__ import annotations

import heapq
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from dentify.assessment import Mask
from dentify.datasets.drawing import draw_sample
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, ImageError
from dentify.evaluation.outlines import Things
from dentify.imaging.draw import encode_jpeg
from dentify.settings import Settings

_SIDE, _QUALITY = 320, 75


@dataclass(frozen=True)
class Picture:
    """One of them: its rank, what there is to say of it, and the photo with outlines as a JPEG file."""

    rank: tuple[float, ...]
    photo: str
    text: str
    jpeg: bytes = field(repr=False)


class Foremost:
    """Keeps the photos of the highest rank; of equal ones the first to come stay.

    Args:
        most: how many.
        settings: limits on photos.
    """

    def __init__(self, most: int, settings: Settings) -> None:
        self.most, self._settings = most, settings
        self._heap: list[tuple[tuple[float, ...], int, Picture]] = []
        self._turns = count(0, -1)

    @property
    def pictures(self) -> list[Picture]:
        """Those that were kept, the highest first."""
        return [picture for _, _, picture in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]

    def offer(self, rank: tuple[float, ...], text: str, shown: Sample) -> None:
        """Draws a photo with its annotations, if it is among the foremost so far; one that cannot be read is left out."""
        turn = next(self._turns)
        if len(self._heap) >= self.most and (rank, turn) <= self._heap[0][:2]:
            return
        with suppress(DatasetError, ImageError):  # it was read before; what has gone since has no picture
            jpeg = encode_jpeg(draw_sample(shown, side=_SIDE, settings=self._settings), _QUALITY)
            heapq.heappush(self._heap, (rank, turn, Picture(rank, shown.name, text, jpeg)))
        if len(self._heap) > self.most:
            heapq.heappop(self._heap)


def drawn_things(things: Things) -> tuple[Annotation, ...]:
    """Things as annotations, to be drawn."""
    return tuple(drawn_thing(things, place) for place in range(len(things)))


def drawn_thing(things: Things, place: int) -> Annotation:
    """One of some things as an annotation, to be drawn."""
    x_min, y_min, x_max, y_max = things.boxes_xyxy[place].tolist()
    rle, counts = None, things.rles[place]["counts"]
    if things.outlined[place] and not isinstance(counts, list):
        text = counts.decode() if isinstance(counts, bytes) else counts
        height, width = things.rles[place]["size"]
        rle = Mask(size=(height, width), counts=text)
    return Annotation(things.names[place], (x_min, y_min, x_max, y_max), rle=rle)
