"""Bundles in turns."""

from __future__ import annotations

import time
from typing import Any, cast

import numpy as np

from dentify.fitting.latency import latencies_ms
from dentify.imaging.decode import DecodedPhoto
from dentify.runtime.networks import Networks


def test_all_take_turns_and_the_median_counts() -> None:
    asked: list[str] = []

    class Asked:
        def __init__(self, name: str, seconds: list[float]) -> None:
            self.name, self.seconds = name, iter(seconds)

        def ask(self, image: Any, *, photo_hw: tuple[int, int]) -> None:
            assert photo_hw == (32, 32)
            asked.append(self.name)
            time.sleep(next(self.seconds))

    several = [Asked("a", [0.2, 0.01, 0.01, 0.1]), Asked("b", [0.2, 0.03, 0.1, 0.03]), Asked("c", [0.0, 0.0, 0.0, 0.0])]
    photo = DecodedPhoto(np.zeros((8, 8, 3), np.uint8), (32, 32), "")
    took = latencies_ms([cast("Networks", one) for one in several], [photo], rounds=3)
    assert "".join(asked) == "abc" + "abc" + "cba" + "abc"  # the first runs do not count
    assert 10 <= took[0] < 30 <= took[1] < 100
    assert took[2] < 10
