"""Random views of a photo: where to look, the picture there, and what phones and uploads do to it.

A view is a `(2, 3)` float64 affine matrix from pixels of the photo to pixels of the network's square. Outlines go through the
same matrix before they are drawn, so pictures and masks cannot drift apart.

The distortions are strong on purpose: in our sources sizes, shapes and JPEG histories betray the label (damaged photos are
square and 640 px, undamaged ones are neither), and a network that may see them learns the file and not the car.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import DoubleArray

Image = NDArray[Any]  # uint8; OpenCV's own annotations are wider than what it returns
Matrix = DoubleArray


def whole_view(photo_hw: tuple[int, int], size: int) -> Matrix:
    """The whole photo, stretched to the square, as in serving.

    >>> whole_view((100, 200), 50)
    array([[0.25, 0.  , 0.  ],
           [0.  , 0.5 , 0.  ]])
    """
    height, width = photo_hw
    return np.array([[size / width, 0.0, 0.0], [0.0, size / height, 0.0]])


def random_view(
    rng: np.random.Generator,
    photo_hw: tuple[int, int],
    size: int,
    *,
    focus_xy: DoubleArray | None = None,
    share: tuple[float, float] = (0.25, 1.2),
    rotate: bool = True,
) -> Matrix:
    """A window of the photo, stretched to the square, perhaps turned a little and mirrored.

    Args:
        rng: the source of all choices.
        photo_hw: height and width of the photo in pixels.
        size: side of the square in pixels.
        focus_xy: `(N, 2)` points of the photo, one of which the window prefers to hold; `None` for no preference.
        share: least and most of the photo's area that the window holds, log-uniform; over 1 it looks past the edges.
        rotate: whether the window may be turned (by up to 12 degrees).

    Returns:
        The view; its determinant is negative where it mirrors.
    """
    height, width = photo_hw
    area = math.exp(rng.uniform(math.log(share[0]), math.log(share[1])))
    aspect = math.exp(rng.uniform(-0.45, 0.45))
    if rng.random() < 0.15:
        area, aspect = 1.0, 1.0
    window_w, window_h = math.sqrt(area * aspect), math.sqrt(area / aspect)
    if focus_xy is not None and len(focus_xy) and rng.random() < 0.7:
        x, y = focus_xy[rng.integers(len(focus_xy))] / (width, height)
        centre = np.array([x, y]) + rng.uniform(-0.4, 0.4, 2) * (window_w, window_h)
    else:
        centre = rng.uniform(0, 1, 2)
    low = np.minimum((window_w / 2, window_h / 2), 0.5)
    centre = np.clip(centre, low, 1 - low)
    angle = math.radians(rng.uniform(-12, 12)) if rotate and rng.random() < 0.5 else 0.0
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    # photo pixels -> unit square around the window's centre -> turned -> square
    to_window = np.array([[1 / (width * window_w), 0.0], [0.0, 1 / (height * window_h)]])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = size * np.diag([mirror, 1.0]) @ turn @ to_window
    offset = np.array([size / 2, size / 2]) - linear @ (centre * (width, height))
    return np.column_stack([linear, offset])


def is_mirrored(view: Matrix) -> bool:
    """Whether left and right change sides in this view.

    >>> is_mirrored(np.array([[-1.0, 0.0, 9.0], [0.0, 1.0, 0.0]]))
    True
    """
    return bool(view[0, 0] * view[1, 1] - view[0, 1] * view[1, 0] < 0)


def transform_points(points_xy: DoubleArray, view: Matrix) -> DoubleArray:
    """`(N, 2)` points of the photo as points of the square."""
    return points_xy @ view[:, :2].T + view[:, 2]


BEYOND_RGB = (124, 116, 104)
"""Beyond the photo's edges: ImageNet's mean, which a network takes for zero. Mirrored pixels would show unlabelled damage."""


def warp(image: Image, view: Matrix, size: int, *, outside: tuple[int, int, int] | int = BEYOND_RGB) -> Image:
    """The `(size, size, …)` picture of a view, filled with `outside` beyond the photo's edges.

    Where the view shrinks, the photo is area-averaged first, as serving does; a bilinear sample alone would alias.
    """
    scale = np.linalg.norm(view[:, :2], axis=0)  # output pixels a photo pixel, along x and y
    height, width = image.shape[:2]
    if scale.min() < 0.75:
        shrunk_w = max(1, round(width * min(1.0, scale[0])))
        shrunk_h = max(1, round(height * min(1.0, scale[1])))
        image = cv2.resize(image, (shrunk_w, shrunk_h), interpolation=cv2.INTER_AREA)
        view = view @ np.diag([width / shrunk_w, height / shrunk_h, 1.0])
    # OpenCV's pixel centres are integers, ours are halves.
    centred = view.copy()
    centred[:, 2] += view[:, :2] @ (0.5, 0.5) - 0.5
    how: dict[str, Any] = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_CONSTANT, "borderValue": outside}
    return cv2.warpAffine(image, centred, (size, size), **how)


def degrade(rng: np.random.Generator, image: Image) -> Image:
    """Light, colour, sharpness, noise and compression as phones, garages and uploads vary them."""
    if rng.random() < 0.8:
        image = _tone(rng, image)
    if rng.random() < 0.3:
        image = _tint(rng, image)
    if rng.random() < 0.08:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if rng.random() < 0.6:
        image = _soften(rng, image)
    if rng.random() < 0.2:
        image = _noise(rng, image)
    if rng.random() < 0.6:
        quality = int(rng.integers(30, 96))
        coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = cv2.cvtColor(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
    return image


def _tone(rng: np.random.Generator, image: Image) -> Image:
    """Exposure, contrast and gamma, in one table."""
    levels = np.arange(256, dtype=np.float64) / 255
    levels = levels ** math.exp(rng.uniform(-0.35, 0.35))
    levels = (levels - 0.5) * rng.uniform(0.7, 1.3) + 0.5 + rng.uniform(-0.12, 0.12)
    return cv2.LUT(image, np.clip(levels * 255, 0, 255).astype(np.uint8))


def _tint(rng: np.random.Generator, image: Image) -> Image:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    levels = np.arange(256)
    hue = ((levels + rng.integers(-12, 13)) % 180).astype(np.uint8)
    saturation = np.clip(levels * rng.uniform(0.5, 1.5), 0, 255).astype(np.uint8)
    table = np.stack([hue, saturation, levels.astype(np.uint8)], 1)[None]
    return cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2RGB)


def _soften(rng: np.random.Generator, image: Image) -> Image:
    """A smaller original, enlarged again, or a blur."""
    size = image.shape[0]
    if rng.random() < 0.75:
        small = max(16, round(size * rng.uniform(0.35, 0.95)))
        down = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        ways = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
        return cv2.resize(down, (size, size), interpolation=ways[rng.integers(3)])
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4))


def _noise(rng: np.random.Generator, image: Image) -> Image:
    grain = rng.normal(0, rng.uniform(2, 9), image.shape).astype(np.int16)
    return np.clip(image + grain, 0, 255).astype(np.uint8)
