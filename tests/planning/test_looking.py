"""A look at labelled photos: what teaches nothing, and faults."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from dentify.errors import DatasetError
from dentify.planning import RANDOM, look
from labelled_squares import decided, noise, write_labelled


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([["Beule"]] * 20, "1 label that is not mapped: Beule (20×"),
        ([["dent"]] * 3, "3 damaged photos are too few to learn from; label 12 or more"),
        ([["hood"]] * 20, "20 photos show no damage"),
    ],
    ids=["words that nobody explained", "too few", "nothing to learn"],
)
def test_what_teaches_nothing_is_refused(tmp_path: Path, words: list[list[str]], message: str) -> None:
    write_labelled(tmp_path / "mine", words)
    with pytest.raises(DatasetError) as refused:
        decided([tmp_path / "mine"], tmp_path, start=RANDOM)
    assert message in str(refused.value)


def test_photos_by_type_need_a_classifier(tmp_path: Path) -> None:
    for number in range(14):
        (tmp_path / "mine" / "dent").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "mine" / "dent" / f"{number}.png"), noise(number))
    with pytest.raises(DatasetError, match=r"14 photos tell types of whole photos, .*`dentify recipe show convnext_atto`"):
        decided([tmp_path / "mine"], tmp_path, start=RANDOM)


def test_all_faults_come_to_who_collects_them(photos: Path, tmp_path: Path) -> None:
    (photos / "3.png").unlink()
    (photos / "4.png").write_bytes(b"no picture")
    told: list[str] = []
    look([photos, tmp_path / "nowhere"], on_fault=lambda fault: told.append(str(fault)))
    assert len(told) == 4, told
    assert "Beule (20×" in told[0]
    assert {"3.png", "4.png"} == {name for name in ("3.png", "4.png") if any(name in line for line in told[1:3])}
    assert "nowhere: no such file or folder" in told[3]
