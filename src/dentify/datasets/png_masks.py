"""Masks that label files hold as pictures, as LabelMe, Supervisely and Label Studio do: what is neither black nor transparent."""

from __future__ import annotations

import base64
import binascii

import numpy as np

from dentify.arrays import BoolArray
from dentify.datasets.label_set import LabelSet
from dentify.errors import DatasetError, ImageError
from dentify.imaging.decode import decode_label_map, read_photo_frame
from dentify.imaging.masks import mask_to_box


def picture_in(data: object, where: str, what: str = "mask") -> bytes:
    """A picture's file in base64, with `data:image/png;base64,` before it or not.

    Args:
        data: as the label file has it.
        where: what to begin the message with.
        what: what the file calls it.

    Raises:
        DatasetError: it is none.
    """
    if not isinstance(data, str):
        raise DatasetError(f"{where}: {what} must be a picture in base64, got {data!r:.40}")
    try:
        return base64.b64decode(data.partition(";base64,")[2] if data.startswith("data:") else data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DatasetError(f"{where}: {what} is no base64") from error


def mask_in(picture: bytes, where: str, label_set: LabelSet) -> tuple[BoolArray, tuple[int, int], tuple[int, int]]:
    """The mask in a picture's file: `(h, w)` within its box, the box's column and row, and the picture's height and width.

    Raises:
        DatasetError: it is no picture, over a limit, or damaged.
    """
    try:
        (height, width), _ = read_photo_frame(picture, where=where, settings=label_set.settings)
        label_set.check_unpacked(height * width / 2, where)
        pixels, palette = decode_label_map(picture, where=where, settings=label_set.settings)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if palette is not None and palette.any():
        shown = np.zeros(256, np.bool_)
        shown[: len(palette)] = palette.any(axis=1)
        mask = shown[pixels]
    else:
        mask = np.asarray(pixels > 0 if pixels.ndim == 2 else (pixels > 0).any(axis=2))
    box = mask_to_box(mask)
    if box is None:
        raise DatasetError(f"{where}: is degenerate, it holds no pixel", kind="degenerate outline")
    left, top, right, bottom = map(int, box)
    label_set.check_unpacked((right - left) * (bottom - top), where)
    return mask[top:bottom, left:right], (left, top), (height, width)
