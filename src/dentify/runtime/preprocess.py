"""From an upright photo to a network's input, and from a map's grid back to the photo.

Two frames meet here. The *photo* is what was decoded. The network's *input* is the photo stretched to `size_hw`, or scaled evenly
into its top left corner (letterbox). Maps come back on a grid over the input; `crop_to_photo` cuts a letterbox's filling off, and
what is left covers the photo evenly, cell by cell: the only frame that decoders see.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import FloatArray
from dentify.bundle.manifest import Preprocessing


def content_hw(photo_hw: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int]:
    """Height and width that the photo takes up in the network's input, from the top left corner.

    >>> square = dict(size_hw=(320, 320), mean=(0, 0, 0), std=(1, 1, 1))
    >>> content_hw((3000, 4000), Preprocessing(**square))
    (320, 320)
    >>> content_hw((3000, 4000), Preprocessing(**square, resize="letterbox"))
    (240, 320)
    """
    height, width = preprocessing.size_hw
    if preprocessing.resize == "stretch":
        return height, width
    scale = min(height / photo_hw[0], width / photo_hw[1])
    return max(1, round(photo_hw[0] * scale)), max(1, round(photo_hw[1] * scale))


def network_input(image: NDArray[np.uint8], preprocessing: Preprocessing) -> FloatArray:
    """The network's input: resized, scaled to 0..1, normalised, channels first.

    Args:
        image: `(h, w, 3)` uint8 RGB, upright, of any size.
        preprocessing: what the network takes.

    Returns:
        `(1, 3, H, W)` float32 with `(H, W)` = `preprocessing.size_hw`; a letterbox's filling is 0, the mean.
    """
    small = resize(image, content_hw(image.shape[:2], preprocessing))
    tensor = np.zeros((1, 3, *preprocessing.size_hw), np.float32)
    for channel, (mean, std) in enumerate(zip(preprocessing.mean, preprocessing.std, strict=True)):
        target = tensor[0, channel, : small.shape[0], : small.shape[1]]
        np.multiply(small[..., channel], np.float32(1 / (255 * std)), out=target)
        target -= np.float32(mean / std)
    return tensor


def resize(image: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Shrink by averaging over areas, enlarge by interpolating; each side in its own way where they differ.

    Args:
        image: `(h, w, 3)` uint8.
        size_hw: height and width wanted.

    Returns:
        `(H, W, 3)` uint8.
    """
    height, width = image.shape[:2]
    shrunk = (min(height, size_hw[0]), min(width, size_hw[1]))
    if shrunk != (height, width):
        image = np.asarray(cv2.resize(image, shrunk[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    if shrunk != size_hw:
        image = np.asarray(cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    return image


def crop_to_photo(maps: FloatArray, photo_hw: tuple[int, int], preprocessing: Preprocessing) -> FloatArray:
    """The part of a network's maps that lies on the photo; a letterbox loses its filling, to the nearest cell.

    Args:
        maps: `(C, h, w)` float32 over the whole input.
        photo_hw: height and width of the photo, at any scale.
        preprocessing: how the photo became the input.
    """
    height, width = content_hw(photo_hw, preprocessing)
    rows = max(1, round(maps.shape[1] * height / preprocessing.size_hw[0]))
    columns = max(1, round(maps.shape[2] * width / preprocessing.size_hw[1]))
    return maps[:, :rows, :columns]


def boxes_on_photo(table: FloatArray, photo_hw: tuple[int, int], preprocessing: Preprocessing) -> FloatArray:
    """Candidates with boxes in shares of the photo, in place of those of the network's input.

    Args:
        table: `(N, D)`, the first four columns left, top, right and bottom.
        photo_hw: height and width of the photo, at any scale.
        preprocessing: how the photo became the input.
    """
    height, width = content_hw(photo_hw, preprocessing)
    down, across = preprocessing.size_hw[0] / height, preprocessing.size_hw[1] / width
    return np.concatenate([table[:, :4] * np.array([across, down, across, down], np.float32), table[:, 4:]], 1)
