"""What results are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.errors import OutputError
from dentify.sinks import FORMATS, output_stem
from dentify.sinks.names import Reserved


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=400))
def test_every_output_fits_a_file_name(name: str) -> None:
    longest = f".{output_stem(name + '.jpg')}.photo.jpg.part"
    assert len(longest.encode()) <= 255


def test_names_that_are_cut_stay_apart() -> None:
    assert output_stem("x" * 300 + "1.jpg") != output_stem("x" * 300 + "2.jpg")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("summary.csv/a.jpg", "summary.csv; rename its folder"),
        ("index_files/a.jpg", "index_files; rename its folder"),
        ("results.coco.jpg", "results.coco.json; rename it"),
    ],
)
def test_no_photo_takes_the_place_of_what_tells_of_all(name: str, told: str) -> None:
    with pytest.raises(OutputError, match=rf"^there: its results would take the place of {told}$"):
        Reserved(FORMATS).add(name, "there")


@pytest.mark.parametrize("name", ["summary.csv.jpg", "index_files.jpg", "a/results.coco.jpg", "findings_crops.1.jpg"])
def test_a_photo_may_be_called_alike(name: str) -> None:
    assert Reserved(FORMATS).add(name, name) == output_stem(name)


@pytest.mark.parametrize(
    ("platform", "other", "is_same"),
    [
        ("linux", "TÜR.png", False),
        ("win32", "TÜR.png", True),
        ("win32", "tu\u0308r.png", False),
        ("darwin", "TÜR.png", True),
        ("darwin", "tu\u0308r.png", True),
    ],
)
def test_names_that_a_systems_disks_take_for_one_are_told(
    platform: str, other: str, is_same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    reserved = Reserved(FORMATS)
    reserved.add("tür.jpg", "tür.jpg")
    assert (other in reserved) is is_same
