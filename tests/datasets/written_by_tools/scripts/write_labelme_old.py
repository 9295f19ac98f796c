"""The truth as older labelme wrote it, by the `LabelFile` of the version that runs this, and what its example scripts make of it.

    python write_labelme_old.py                with labelme 3 (Python 3.8): folder labelme3-polygons
    python write_labelme_old.py EXAMPLES       with labelme 5: folders labelme5-…

EXAMPLES is the folder `examples` of labelme 5, as in Debian's package labelme-examples: its labelme2coco.py and labelme2voc.py
run. They need pycocotools, lxml and imgviz.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import labelme
from labelme.label_file import LabelFile

HERE = Path(__file__).resolve().parent.parent
MAJOR = labelme.__version__.split(".")[0]
CLASSES = ["__ignore__", "_background_", "dent", "scratch", "broken_part", "crack"]


def main(examples):
    truth = json.loads((HERE / "truth.json").read_text())
    if examples is None:
        write(truth, folder("polygons"), polygons)
        return
    write(truth, folder("boxes"), boxes)
    with tempfile.TemporaryDirectory(dir=HERE) as work:  # beside photos/, where the JSON says that they are
        inputs = {"boxes": HERE / "labelme5-boxes", "polygons": Path(work)}
        write(truth, inputs["polygons"], polygons)
        (Path(work) / "labels.txt").write_text("".join(name + "\n" for name in CLASSES))
        for name, script, source, kept in (
            ("labelme2coco", "instance_segmentation/labelme2coco.py", "polygons", ["annotations.json"]),
            ("labelme2voc", "bbox_detection/labelme2voc.py", "boxes", ["class_names.txt", "Annotations"]),
            (
                "labelme2voc_masks",
                "instance_segmentation/labelme2voc.py",
                "polygons",
                ["class_names.txt", "SegmentationClassPNG", "SegmentationObjectPNG"],
            ),
        ):
            out = Path(work) / name
            command = [sys.executable, str(examples / script), str(inputs[source]), str(out)]
            subprocess.run(
                [*command, "--labels", str(Path(work) / "labels.txt"), "--noviz"], check=True, stdout=subprocess.DEVNULL
            )
            target = folder(name)
            for entry in kept:
                (shutil.copytree if (out / entry).is_dir() else shutil.copy)(out / entry, target / entry)


def folder(name):
    target = HERE / f"labelme{MAJOR}-{name}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    return target


def write(truth, target, shapes):
    names = {row["id"]: row["name"] for row in truth["categories"]}
    for image in truth["images"][: 2 if MAJOR == "3" else 3]:
        rows = [row for row in truth["annotations"] if row["image_id"] == image["id"]]
        LabelFile().save(
            filename=str(target / image["file_name"].replace(".jpg", ".json")),
            shapes=[shape for row in rows for shape in shapes(row, names)],
            imagePath="../photos/" + image["file_name"],
            imageHeight=image["height"],
            imageWidth=image["width"],
        )


def polygons(row, names):
    for part in row["segmentation"]:
        group = row["id"] if len(row["segmentation"]) > 1 else None
        yield shape(names[row["category_id"]], [part[at : at + 2] for at in range(0, len(part), 2)], "polygon", group)


def boxes(row, names):
    x, y, w, h = row["bbox"]
    yield shape(names[row["category_id"]], [[x, y], [x + w, y + h]], "rectangle", None)


def shape(label, points, kind, group):
    """As that version's window hands it to its `LabelFile`."""
    if MAJOR == "3":
        return {"label": label, "line_color": None, "fill_color": None, "points": points, "shape_type": kind, "flags": {}}
    return {"label": label, "points": points, "group_id": group, "shape_type": kind, "flags": {}}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
