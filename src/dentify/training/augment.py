"""What happens to a photo before it is learned from: where to look, and what phones and uploads do to the picture.

One dial, `strength`, turns all of it; `Augment` lists what there is. The distortions are strong on purpose: in our sources sizes,
shapes and JPEG histories betray the label (damaged photos are square and 640 px, undamaged ones are neither), and a network that
may see them learns the file and not the car.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from pydantic import Field

from dentify.arrays import DoubleArray, Matrix
from dentify.imaging.views import Picture
from dentify.strict import Strict


class Augment(Strict):
    """How likely each distortion is at a strength of 1, and the dial for how strong all are."""

    strength: float = Field(1.0, ge=0, le=2, description="0: none at all; 1: as listed; 2: twice as far and as often")
    turn: float = Field(0.5, ge=0, le=1, description="turned by up to 12 degrees")
    tone: float = Field(0.8, ge=0, le=1, description="exposure, contrast and gamma")
    tint: float = Field(0.3, ge=0, le=1, description="hue and saturation")
    grey: float = Field(0.08, ge=0, le=1, description="no colour at all")
    soften: float = Field(0.6, ge=0, le=1, description="enlarged from a smaller picture, or blurred")
    noise: float = Field(0.2, ge=0, le=1, description="grain")
    jpeg: float = Field(0.6, ge=0, le=1, description="compressed, at a quality of 20 to 95")

    def often(self, likely: float) -> float:
        """How likely a distortion is at this strength."""
        return min(1.0, likely * self.strength)


def random_view(
    rng: np.random.Generator,
    photo_hw: tuple[int, int],
    size: int,
    *,
    focus_xy: DoubleArray | None = None,
    share: tuple[float, float] = (0.25, 1.2),
    rotate: bool = True,
    augment: Augment | None = None,
) -> Matrix:
    """A window of the photo, stretched to the square, perhaps turned a little and mirrored.

    Args:
        rng: the source of all choices.
        photo_hw: height and width of the photo in pixels.
        size: side of the square in pixels.
        focus_xy: `(N, 2)` points of the photo, one of which the window prefers to hold; `None` for no preference.
        share: least and most of the photo's area that the window holds, log-uniform; over 1 it looks past the edges.
        rotate: whether the window may be turned.
        augment: how strongly it is stretched and turned; as at strength 1 without it.

    Returns:
        The view; its determinant is negative where it mirrors.
    """
    augment = augment or Augment()
    height, width = photo_hw
    area = math.exp(rng.uniform(math.log(share[0]), math.log(share[1])))
    aspect = math.exp(augment.strength * rng.uniform(-0.45, 0.45))
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
    angle = (
        math.radians(augment.strength * rng.uniform(-12, 12)) if rotate and rng.random() < augment.often(augment.turn) else 0.0
    )
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    # photo pixels -> unit square around the window's centre -> turned -> square
    to_window = np.array([[1 / (width * window_w), 0.0], [0.0, 1 / (height * window_h)]])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = size * np.diag([mirror, 1.0]) @ turn @ to_window
    offset = np.array([size / 2, size / 2]) - linear @ (centre * (width, height))
    return np.column_stack([linear, offset])


def degrade(rng: np.random.Generator, image: Picture, augment: Augment | None = None) -> Picture:
    """Light, colour, sharpness, noise and compression as phones, garages and uploads vary them."""
    augment = augment or Augment()
    strength = augment.strength
    if rng.random() < augment.often(augment.tone):
        image = _tone(rng, image, strength)
    if rng.random() < augment.often(augment.tint):
        image = _tint(rng, image, strength)
    if rng.random() < augment.often(augment.grey):
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if rng.random() < augment.often(augment.soften):
        image = _soften(rng, image, strength)
    if rng.random() < augment.often(augment.noise):
        image = _noise(rng, image, strength)
    if rng.random() < augment.often(augment.jpeg):
        quality = int(rng.integers(20, 96))
        coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = cv2.cvtColor(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
    return image


def _tone(rng: np.random.Generator, image: Picture, strength: float) -> Picture:
    """Exposure, contrast and gamma, in one table."""
    levels = np.arange(256, dtype=np.float64) / 255
    levels = levels ** math.exp(strength * rng.uniform(-0.45, 0.45))
    levels = (levels - 0.5) * _around_one(rng, 0.3, strength) + 0.5 + strength * rng.uniform(-0.12, 0.12)
    return cv2.LUT(image, np.clip(levels * 255, 0, 255).astype(np.uint8))


def _around_one(rng: np.random.Generator, reach: float, strength: float) -> float:
    return max(0.0, 1 + strength * (rng.uniform(1 - reach, 1 + reach) - 1))


def _tint(rng: np.random.Generator, image: Picture, strength: float) -> Picture:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    levels = np.arange(256)
    hue = ((levels + round(strength * int(rng.integers(-12, 13)))) % 180).astype(np.uint8)
    saturation = np.clip(levels * _around_one(rng, 0.5, strength), 0, 255).astype(np.uint8)
    table = np.stack([hue, saturation, levels.astype(np.uint8)], 1)[None]
    return cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2RGB)


def _soften(rng: np.random.Generator, image: Picture, strength: float) -> Picture:
    """A smaller original, enlarged again, or a blur."""
    size = image.shape[0]
    if rng.random() < 0.75:
        small = max(16, round(size * rng.uniform(0.25, 0.95) ** strength))
        down = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        ways = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
        return cv2.resize(down, (size, size), interpolation=ways[rng.integers(3)])
    return cv2.GaussianBlur(image, (0, 0), strength * rng.uniform(0.4, 1.4))


def _noise(rng: np.random.Generator, image: Picture, strength: float) -> Picture:
    grain = rng.normal(0, strength * rng.uniform(2, 9), image.shape).astype(np.int16)
    return np.clip(image + grain, 0, 255).astype(np.uint8)
