"""Create ML's files as they are, and as they should not be; what tools wrote is tried in `test_written_by_tools.py`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_labels import Change, check_samples_or_one_line, json_values, set_in
from dentify.datasets import open_dataset
from dentify.errors import DatasetError

Write = Callable[..., Path]

DOCUMENT: list[dict[str, Any]] = [
    {"image": "a.jpg", "annotations": [{"label": "dent", "coordinates": {"x": 10, "y": 5, "width": 8, "height": 4}}]},
    {"image": "b.jpg", "annotations": []},
]
BOX = (0, "annotations", 0)


@pytest.fixture
def createml(tmp_path: Path) -> Write:
    """Writes two photos and the JSON, changed by a function, and returns its path."""

    def write(change: Change = lambda document: None, document: Any = DOCUMENT) -> Path:
        document = copy.deepcopy(document)
        change(document)
        for name in ("a.jpg", "b.jpg"):
            Image.new("RGB", (20, 10)).save(tmp_path / name)
        path = tmp_path / "_annotations.createml.json"
        path.write_text(json.dumps(document))
        return path

    return write


APPLES = [{"imagefilename": row["image"], "annotation": row["annotations"]} for row in DOCUMENT]


@pytest.mark.parametrize("document", [DOCUMENT, APPLES], ids=["Roboflow's keys", "Apple's keys"])
def test_boxes_lie_around_their_centres(createml: Write, document: Any) -> None:
    data = open_dataset(createml(document=document))
    assert data.format == "createml"
    first, second = data
    assert (first.name, first.size_hw, first.labelled) == ("a.jpg", (10, 20), {"dent"})
    assert [(one.name, one.box_xyxy, one.has_mask) for one in first.annotations] == [("dent", (6, 3, 14, 7), False)]
    assert (second.name, second.annotations) == ("b.jpg", ())


WRONG = {
    "no label": (set_in(*BOX, "label", value=None), r"\[0\] \(a.jpg\): annotations\[0\]: needs a label and coordinates"),
    "no coordinates": (set_in(*BOX, "coordinates", value=[1, 2, 3, 4]), "needs a label and coordinates"),
    "no number": (set_in(*BOX, "coordinates", "x", value="left"), "x: must be a number, got 'left'"),
    "NaN": (set_in(*BOX, "coordinates", "y", value=float("nan")), r"\(dent\): box holds a coordinate that is not a number"),
    "negative": (set_in(*BOX, "coordinates", "x", value=-10), r"box \(-14, 3\) to \(-6, 7\) lies outside the photo of 20 × 10"),
    "no width": (set_in(*BOX, "coordinates", "width", value=0), "degenerate"),
    "no image": (set_in(0, "image", value=""), r"\[0\]: needs an image and annotations"),
    "a number as a row": (set_in(1, value=3), r"\[1\]: needs an image and annotations, got 3"),
    "missing picture": (set_in(1, "image", value="c.jpg"), "no picture 'c.jpg' in"),
    "a photo twice": (set_in(1, "image", value="a.jpg"), r"a.jpg was listed before, at .*\[0\]"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(createml: Write, change: Change, message: str) -> None:
    path = createml(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path, input_format="createml"))
    assert str(caught.value).startswith(f"{path}: [")
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(createml: Write) -> None:
    errors: list[DatasetError] = []
    samples = list(open_dataset(createml(set_in(*BOX, "label", value=3)), on_invalid=errors.append))
    assert [len(sample.annotations) for sample in samples] == [0, 0]
    assert len(errors) == 1


def test_another_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"a.json: not Create ML: expected a list with an entry for each picture"):
        list(open_dataset(tmp_path / "a.json", input_format="createml"))


fields = st.sampled_from(
    [(0,), (0, "image"), (0, "annotations"), BOX, (*BOX, "label"), (*BOX, "coordinates"), (*BOX, "coordinates", "width")]
)


@given(fields, json_values)
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, field: tuple[str | int, ...], value: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "createml"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    document = copy.deepcopy(DOCUMENT)
    set_in(*field, value=value)(document)
    (folder / "a.json").write_text(json.dumps(document))
    check_samples_or_one_line(folder / "a.json", input_format="createml", check_pictures=False)
