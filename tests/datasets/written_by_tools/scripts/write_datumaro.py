"""The truth in the formats of Datumaro: its COCO importer reads `truth.json`, its exporters write.

    python write_datumaro.py

Needs datumaro. Pictures are left out, except where they are the format (folders by class): there they are 80 px wide.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import datumaro as dm
from datumaro.components.media import Image as Media
from PIL import Image

HERE = Path(__file__).resolve().parent.parent
SPLITS = {"car_00.jpg": "train", "car_04.jpg": "train", "car_05.jpg": "val"}
ONE = dict.fromkeys(SPLITS, "default")


def main() -> None:
    os.chdir(HERE)
    export(polygons(), "coco", "coco_instances")
    export(imported("truth_with_hole.json"), "coco_rle", "coco_instances", segmentation_mode="mask")
    export(boxes(), "yolo", "yolo")
    export(boxes(), "yolo_ultralytics", "yolo_ultralytics")
    export(imported("truth.json"), "yolo_doubled", "yolo", transform="shapes_to_boxes")
    export(polygons(ONE), "cvat", "cvat")
    export(boxes(ONE), "cvat_boxes", "cvat")
    export(
        masks(ONE, "truth_with_hole.json").filter('/item/annotation[type="mask"]', filter_annotations=True), "cvat_masks", "cvat"
    )
    export(polygons().filter('/item[id!="car_05"]'), "label_me", "label_me")  # its XML is long
    export(masks(), "voc", "voc")
    export(boxes(), "voc_one_based", "voc_detection", coordinate_mode="voc-one-based")
    export(masks(), "camvid", "camvid")
    export(masks(), "camvid_indexed", "camvid", apply_colormap=False)
    export(polygons(), "own", "datumaro")
    export(masks(name="truth_with_hole.json"), "own_masks", "datumaro")
    with tempfile.TemporaryDirectory() as folder:
        export(by_class(Path(folder)), "imagenet", "imagenet", save_media=True)
        export(by_class(Path(folder)), "imagenet_splits", "imagenet_with_subset_dirs", save_media=True)


def imported(name: str, splits: dict[str, str] = SPLITS) -> dm.Dataset:
    """The truth as Datumaro's COCO importer reads it, from the layout that it expects: each damage's polygons and its box."""
    document = json.loads((HERE / name).read_text())
    with tempfile.TemporaryDirectory() as folder:
        for split in set(splits.values()):
            rows = [row for row in document["images"] if splits[row["file_name"]] == split]
            ids = {row["id"] for row in rows}
            part = {**document, "images": rows, "annotations": [row for row in document["annotations"] if row["image_id"] in ids]}
            target = Path(folder) / "annotations" / f"instances_{split}.json"
            target.parent.mkdir(exist_ok=True)
            target.write_text(json.dumps(part))
            (Path(folder) / "images" / split).mkdir(parents=True)  # it must be there; pictures need not
        dataset = dm.Dataset.import_from(folder, "coco_instances")
        dataset.init_cache()
    for item in dataset:
        item.media = Media.from_file(path=f"photos/{item.id}.jpg", size=item.media.size)
    return dataset


def polygons(splits: dict[str, str] = SPLITS) -> dm.Dataset:
    return imported("truth.json", splits).filter('/item/annotation[type="polygon"]', filter_annotations=True)


def boxes(splits: dict[str, str] = SPLITS) -> dm.Dataset:
    return imported("truth.json", splits).filter('/item/annotation[type="bbox"]', filter_annotations=True)


def masks(splits: dict[str, str] = SPLITS, name: str = "truth.json") -> dm.Dataset:
    """One mask and one box for each damage, and a colour for each class."""
    dataset = imported(name, splits).transform("merge_instance_segments", include_polygons=True)
    colours = dm.MaskCategories.generate(len(dataset.categories()[dm.AnnotationType.label]), include_background=False)
    return dm.Dataset.from_iterable(list(dataset), categories={**dataset.categories(), dm.AnnotationType.mask: colours})


def by_class(folder: Path) -> dm.Dataset:
    """A photo's class is that of its first damage; the photo without one has none."""
    dataset = imported("truth.json")
    items = []
    for item in dataset:
        with Image.open(HERE / "photos" / f"{item.id}.jpg") as photo:
            photo.thumbnail((80, 80))
            photo.save(folder / f"{item.id}.jpg")
        labels = [dm.Label(min(item.annotations, key=lambda row: row.id).label)] if item.annotations else []
        media = Media.from_file(path=str(folder / f"{item.id}.jpg"))
        items.append(dm.DatasetItem(item.id, subset=item.subset, media=media, annotations=labels))
    return dm.Dataset.from_iterable(items, categories=dataset.categories())


def export(
    dataset: dm.Dataset, folder: str, form: str, *, transform: str | None = None, save_media: bool = False, **options: object
) -> None:
    target = HERE / f"datumaro-{folder}"
    shutil.rmtree(target, ignore_errors=True)
    if transform:
        dataset.transform(transform)
    dataset.export(str(target), form, save_media=save_media, **options)
    for empty in sorted(target.rglob("*"), reverse=True):  # git would not keep them
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()


if __name__ == "__main__":
    main()
