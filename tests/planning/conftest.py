"""Photos to plan a run for."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from labelled_squares import noise, write_labelled


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty photos with a Beule each, one with hail beside, and twelve sound ones in a folder of that name."""
    folder = tmp_path / "mine"
    write_labelled(folder, [["Beule"]] * 19 + [["Beule", "Hagel"]])
    (folder.parent / "lot" / "undamaged").mkdir(parents=True)
    for number in range(12):
        cv2.imwrite(str(folder.parent / "lot" / "undamaged" / f"{number}.png"), noise(100 + number))
    (folder.parent / "labels.yaml").write_text("labels: {Beule: dent, Hagel: hail_mark}\n")
    return folder
