"""The same labels however their numbers and points are spelled, in every format of JSON; and keys that are said twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dentify.datasets import open_dataset
from dentify.datasets.labels import read_label_map
from dentify.errors import DatasetError

WIDTH, HEIGHT = 320, 240
CORNERS = [[10, 10], [70, 10], [70, 70], [10, 70]]
FLAT = [value for corner in CORNERS for value in corner]
CENTRE = {"x": 40, "y": 40, "width": 60, "height": 60}
SIZE = {"width": WIDTH, "height": HEIGHT}


def coco(**how: Any) -> Any:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", **SIZE}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **how}],
        "categories": [{"id": 1, "name": "dent"}],
    }


def labelme(**how: Any) -> Any:
    return {"imagePath": "a.jpg", "imageWidth": WIDTH, "imageHeight": HEIGHT, "shapes": [{"label": "dent", **how}]}


def via(**shape: Any) -> Any:
    regions = [{"shape_attributes": shape, "region_attributes": {"type": "dent"}}]
    return {"a.jpg1": {"filename": "a.jpg", "size": 1, "regions": regions, "file_attributes": {}}}


def label_studio(kind: str, **value: Any) -> Any:
    region = {"id": "r", "type": f"{kind}labels", "original_width": WIDTH, "original_height": HEIGHT}
    region["value"] = {**value, f"{kind}labels": ["dent"]}
    return [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": [region]}]}]


def datumaro(**how: Any) -> Any:
    image = {"path": "a.jpg", "size": [HEIGHT, WIDTH]}
    item = {"id": "a", "image": image, "annotations": [{"label_id": 0, "group": 0, **how}]}
    return {"categories": {"label": {"labels": [{"name": "dent"}]}}, "items": [item]}


def supervisely(**how: Any) -> Any:
    return {"size": SIZE, "tags": [], "objects": [{"classTitle": "dent", **how}]}


def vott(**region: Any) -> Any:
    return {"asset": {"name": "a.jpg", "path": "file:a.jpg", "size": SIZE}, "regions": [{"tags": ["dent"], **region}]}


def ground_truth(**box: Any) -> Any:
    job = {"image_size": [{**SIZE, "depth": 3}], "annotations": [{"class_id": 0, **box}]}
    return {"source-ref": "s3://b/a.jpg", "job": job, "job-metadata": {"class-map": {"0": "dent"}, "type": "x"}}


def aihub(**how: Any) -> Any:
    return {"images": {"file_name": "a.jpg", **SIZE}, "annotations": [{"damage": "Scratched", **how}], "categories": []}


SHARES = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in CORNERS]
DOCUMENTS: dict[str, tuple[str, Any]] = {
    "COCO, a box": ("l.json", coco(bbox=[10, 10, 60, 60])),
    "COCO, a polygon": ("l.json", coco(segmentation=[FLAT], bbox=[10, 10, 60, 60])),
    "LabelMe, a rectangle": ("a.json", labelme(points=[CORNERS[0], CORNERS[2]], shape_type="rectangle")),
    "LabelMe, a polygon": ("a.json", labelme(points=CORNERS, shape_type="polygon")),
    "VIA, a rect": ("l.json", via(name="rect", x=10, y=10, width=60, height=60)),
    "VIA, a polygon": ("l.json", via(name="polygon", all_points_x=FLAT[::2], all_points_y=FLAT[1::2])),
    "Label Studio, a rectangle": ("l.json", label_studio("rectangle", x=3.125, y=25 / 6, width=18.75, height=25)),
    "Label Studio, a polygon": ("l.json", label_studio("polygon", points=SHARES)),
    "Datumaro, a box": ("l.json", datumaro(type="bbox", bbox=[10, 10, 60, 60])),
    "Datumaro, a polygon": ("l.json", datumaro(type="polygon", points=FLAT)),
    "Datumaro, a turned box": ("l.json", datumaro(type="rotated_bbox", points=[40, 40, 60, 60, 90])),
    "Supervisely, a rectangle": ("a.jpg.json", supervisely(geometryType="rectangle", points={"exterior": [[10, 10], [70, 70]]})),
    "Supervisely, a polygon": ("a.jpg.json", supervisely(geometryType="polygon", points={"exterior": CORNERS})),
    "Supervisely, a turned box": (
        "a.jpg.json",
        supervisely(geometryType="oriented_bbox", points={"exterior": [[10, 10], [70, 70]]}, angle=0),
    ),
    "VoTT, a rectangle": ("a-asset.json", vott(type="RECTANGLE", boundingBox={"left": 10, "top": 10, "width": 60, "height": 60})),
    "VoTT, a polygon": ("a-asset.json", vott(type="POLYGON", points=[{"x": x, "y": y} for x, y in CORNERS])),
    "Ground Truth": ("output.manifest", ground_truth(left=10, top=10, width=60, height=60)),
    "Create ML": ("l.json", [{"image": "a.jpg", "annotation": [{"label": "dent", "coordinates": CENTRE}]}]),
    "AI Hub": ("l.json", aihub(bbox=[10, 10, 60, 60], segmentation=[[CORNERS]])),
}


def respelled(value: Any, spell: Callable[[Any], Any]) -> Any:
    """A document with all its numbers spelled in another way."""
    if isinstance(value, dict):
        return {key: respelled(one, spell) for key, one in value.items()}
    if isinstance(value, list):
        return [respelled(one, spell) for one in value]
    return spell(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def read(folder: Path, name: str, text: str) -> list[tuple[str, tuple[int, ...], int]]:
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "a.jpg")
    (folder / name).write_text(text)
    (sample,) = open_dataset(folder)
    return [(one.name, tuple(round(side) for side in one.box_xyxy), len(one.polygons)) for one in sample.annotations]


@pytest.mark.parametrize("spell", [str, float, lambda number: str(float(number))], ids=["texts", "fractions", "both"])
@pytest.mark.parametrize(("name", "document"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_numbers_are_the_same_as_texts_and_with_a_fraction_of_nothing(
    tmp_path: Path, name: str, document: Any, spell: Callable[[Any], Any]
) -> None:
    plain = read(tmp_path, name, json.dumps(document))
    assert [box for _, box, _ in plain] == [(10, 10, 70, 70)]
    assert read(tmp_path, name, json.dumps(respelled(document, spell))) == plain


PAIRS = {
    "pairs": CORNERS,
    "objects": [{"x": x, "y": y} for x, y in CORNERS],
    "one after the other": FLAT,
    "texts": [[str(x), str(y)] for x, y in CORNERS],
}
OUTLINED: dict[str, Callable[[Any], tuple[str, Any]]] = {
    "COCO": lambda points: ("l.json", coco(segmentation=[points])),
    "COCO, without the list around it": lambda points: ("l.json", coco(segmentation=points)),
    "COCO, as text": lambda points: ("l.json", coco(segmentation=json.dumps([points]))),
    "LabelMe": lambda points: ("a.json", labelme(points=points)),
    "Datumaro": lambda points: ("l.json", datumaro(type="polygon", points=points)),
    "Supervisely": lambda points: ("a.jpg.json", supervisely(geometryType="polygon", points={"exterior": points})),
    "VoTT": lambda points: ("a-asset.json", vott(type="POLYGON", points=points)),
    "Label Studio": lambda points: ("l.json", label_studio("polygon", points=shares(points))),
}


def shares(points: Any) -> Any:
    """Points as percents of the photo, in the same spelling."""
    way = next(key for key, one in PAIRS.items() if one == points)
    percents = {
        "pairs": SHARES,
        "objects": [{"x": x, "y": y} for x, y in SHARES],
        "one after the other": [value for point in SHARES for value in point],
        "texts": [[str(x), str(y)] for x, y in SHARES],
    }
    return percents[way]


@pytest.mark.parametrize("points", PAIRS.values(), ids=PAIRS.keys())
@pytest.mark.parametrize("document", OUTLINED.values(), ids=OUTLINED.keys())
def test_points_are_the_same_in_every_form(tmp_path: Path, document: Callable[[Any], tuple[str, Any]], points: Any) -> None:
    name, written = document(points)
    ((_, box, polygons),) = read(tmp_path, name, json.dumps(written))
    assert (box, polygons) == ((10, 10, 70, 70), 1)


@pytest.mark.parametrize("unsaid", [None, 0, -1, ""], ids=["null", "0", "-1", "empty"])
@pytest.mark.parametrize(("name", "document"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_size_that_the_file_does_not_know_is_the_pictures(tmp_path: Path, name: str, document: Any, unsaid: object) -> None:
    def unknown(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: unsaid if one in (WIDTH, HEIGHT) else unknown(one) for key, one in value.items()}
        if value == [HEIGHT, WIDTH]:
            return None
        return [unknown(one) for one in value] if isinstance(value, list) else value

    ((_, box, _),) = read(tmp_path, name, json.dumps(unknown(document)))
    assert box == (10, 10, 70, 70)


def said_twice(text: str) -> str:
    """A document in which a key of its innermost object stands twice."""
    at = text.rindex("{") + 1
    return f'{text[:at]}"odd": 1, "odd": 2{", " if text[at] != "}" else ""}{text[at:]}'


@pytest.mark.parametrize(("name", "document"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_key_that_says_two_things_is_refused(tmp_path: Path, name: str, document: Any) -> None:
    """Parsers keep the last: a second, empty `annotations` would take all labels away."""
    with pytest.raises(DatasetError, match=r"the key 'odd' stands twice in one object; which one is meant\?$"):
        read(tmp_path, name, said_twice(json.dumps(document)))


def test_a_key_that_says_the_same_thing_twice_is_read(tmp_path: Path) -> None:
    text = json.dumps(coco(bbox=[10, 10, 60, 60])).replace('"bbox"', '"area": 9, "area": 9, "bbox"')
    assert read(tmp_path, "l.json", text) == [("dent", (10, 10, 70, 70), 0)]


CELLS = {
    "VIA": (
        "filename,file_attributes,region_shape_attributes,region_attributes",
        'a.jpg,{},"{""name"":""rect"",""x"":1,""y"":1,""width"":5,""height"":5}","{""type"":""dent"",""type"":""scratch""}"',
    ),
    "Label Studio": ("annotation_id,annotator,image,label", '1,1,a.jpg,"[{""x"":1,""x"":2}]"'),
}


@pytest.mark.parametrize("lines", CELLS.values(), ids=CELLS.keys())
def test_a_key_that_says_two_things_in_a_cell_is_refused_by_its_line(tmp_path: Path, lines: tuple[str, str]) -> None:
    with pytest.raises(DatasetError, match=r"l\.csv: line 2.*stands twice in one object"):
        read(tmp_path, "l.csv", "\n".join(lines))


def test_names_of_yolo_and_words_of_a_map_that_are_said_twice_are_refused_by_their_lines(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / "a.jpg")
    (tmp_path / "data.yaml").write_text("train: images\nnames:\n  0: dent\n  0: scratch\n")
    with pytest.raises(DatasetError, match=r"data\.yaml: the key '0' stands twice, in lines 3 and 4; which one is meant\?$"):
        open_dataset(tmp_path)
    (tmp_path / "map.yaml").write_text("labels: {hagel: dent, hagel: scratch}\n")
    with pytest.raises(DatasetError, match=r"map\.yaml: the key 'hagel' stands twice, in lines 1 and 1"):
        read_label_map(tmp_path / "map.yaml")
