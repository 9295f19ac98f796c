"""The arrays that go through Dentify, one word a kind. Shapes, units and frames stand where a value is declared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
"""What networks take and give: logits, probabilities, scores, boxes."""
DoubleArray = NDArray[np.float64]
"""What is reckoned with: geometry, figures, resamples."""
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Photo = NDArray[np.uint8]
"""`(height, width, 3)` RGB, sRGB, upright."""
Matrix = NDArray[np.float64]
"""`(2, 3)` affine, from one frame's x and y to another's."""
