"""YOLO: a text file a picture, a line a thing: class id, then a box (`x y w h`, of its centre) or a polygon, as shares.

Names and splits stand in `data.yaml` (Ultralytics, Roboflow), in `obj.names` and `obj.data` (Darknet, CVAT) or in `classes.txt`
(LabelImg). Shares become pixels of the upright photo, whose size its header tells. A picture without a text file has no
annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dentify.datasets.documents import read_text, read_yaml
from dentify.datasets.label_set import MOST_ANNOTATIONS, LabelSet
from dentify.datasets.outlines import check_box, check_points
from dentify.datasets.output import Output, outline_polygons
from dentify.datasets.pictures import is_file, picture_parts, walk
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name
from dentify.imaging.polygons import polygons_to_box
from dentify.settings import Settings

_NAME_FILES = ("classes.txt", "obj.names", "classes.names", "predefined_classes.txt")
_SPLIT_KEYS = ("train", "val", "valid", "validation", "test")


def is_yolo_yaml(path: Path, settings: Settings) -> bool:
    """Whether a YAML file names YOLO's classes."""
    document = read_yaml(path, settings)
    return isinstance(document.get("names"), list | dict) and any(key in document for key in (*_SPLIT_KEYS, "nc", "path"))


def in_folder(root: Path, files: Sequence[Path]) -> list[LabelSet]:
    """YOLO labels without a `data.yaml`: by their list of names, else by a folder `labels` of text files."""
    names = [path for path in files if path.name.lower() in _NAME_FILES]
    texts = [path for path in files if path.suffix == ".txt" and path.name.lower() not in _NAME_FILES]
    if names and any(_is_label(path) for path in texts):  # masks may come with a `classes.txt`, too
        return [LabelSet(path, root) for path in names[:1]]
    if any("labels" in path.relative_to(root).parts[:-1] and _is_label(path) for path in texts):
        return [LabelSet(root, root)]
    return []


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their labels, split by split, by name."""
    names, places = _opened(label_set)
    seen: set[Path] = set()
    for split, place in places:
        if place in seen:  # as in COCO128, whose val is its train
            label_set.on_note(f"{label_set.path}: {split} is the pictures of another split again; they count there")
            continue
        seen.add(place)
        for picture, label in _pairs(place, label_set):
            where = str(label)
            try:
                told = split or label_set.split_of(picture) or label_set.split_of(label)
                yield _sample(picture, label, told, names, label_set)
            except DatasetError as error:
                label_set.refuse(error if str(error).startswith(where) else DatasetError(f"{where}: {error}"))


def _opened(label_set: LabelSet) -> tuple[dict[int, str] | None, list[tuple[str | None, Path]]]:
    """Names by class id, and where the pictures of each split are: folders, or text files that list them."""
    path = label_set.path
    if path.suffix.lower() in (".yaml", ".yml"):
        document = read_yaml(path, label_set.settings)
        names = _names(document.get("names"), path)
        places: list[tuple[str | None, Path]] = []
        for key in _SPLIT_KEYS:
            entries = document.get(key)
            for entry in entries if isinstance(entries, list) else [entries] if isinstance(entries, str) else []:
                place = _place(str(entry), document.get("path"), path.parent)
                if place is None:
                    if label_set.images is None:
                        label_set.on_note(f"{path}: {key}: no folder or list {printable(str(entry))!r}")
                else:
                    places.append(("val" if key.startswith("val") else key, place))
        if label_set.images is not None:
            return names, [(None, label_set.images)]
        return names, places or [(None, path.parent)]
    if path.is_dir():
        return None, [(None, path)]
    lines = [line.strip() for line in read_text(path, label_set.settings).splitlines()]
    return {index: name for index, name in enumerate(lines) if name}, [(None, label_set.images or label_set.root)]


def _names(names: object, path: Path) -> dict[int, str]:
    rows = dict(enumerate(names)) if isinstance(names, list) else names
    if not (
        isinstance(rows, dict)
        and all(str(key).isdecimal() for key in rows)
        and all(isinstance(name, str | int | float) for name in rows.values())
    ):
        raise DatasetError(f"{path}: names must be a list, or names by class id")
    return {int(key): str(name) for key, name in rows.items()}


def _place(entry: str, base: object, beside: Path) -> Path | None:
    """The folder or list that an entry of `data.yaml` means: below its `path`, else beside it, ways up left out."""
    bases = [beside.joinpath(*picture_parts(base)) if isinstance(base, str) else beside, beside]
    for folder in bases:
        for parts in (picture_parts(entry), picture_parts(entry)[-2:]):
            place = folder.joinpath(*parts)
            if place.is_dir() or (place.suffix == ".txt" and is_file(place)):
                return place
    return None


def _pairs(place: Path, label_set: LabelSet) -> Iterator[tuple[Path, Path]]:
    """Pictures, each with its text file; and text files whose picture is missing, with the path that it would have."""
    if place.suffix == ".txt" and place.is_file():
        pictures = label_set.pictures()
        for line in read_text(place, label_set.settings).splitlines():
            if line.strip():
                picture = pictures.find(line.strip())
                yield picture, _label_path(picture)
        return
    labelled: set[int] = set()  # hashes, which take a tenth of the paths' memory
    folders = {label_set.root: None} if label_set.images is not None else {place: None, _label_path(place / "a.jpg").parent: None}
    # where pictures lie apart, labels are found by their names
    elsewhere = {label.stem: label for label in _labels(folders, set())} if label_set.images is not None else {}
    for picture in walk(place):
        if is_picture_name(picture.name):
            label = elsewhere.get(picture.stem) or _label_path(picture)
            labelled.add(hash(label))
            yield picture, label
    for label in _labels(folders, labelled):
        yield (label_set.images or label.parent) / f"{label.stem}.jpg", label


def _labels(folders: Iterable[Path], seen: set[int]) -> Iterator[Path]:
    """The label files below folders, but those whose hashes are known; the hashes of the others come to them."""
    for folder in folders:
        for path in walk(folder) if folder.is_dir() else ():
            named = path.name.lower() in _NAME_FILES or path.stem in _SPLIT_KEYS
            if path.suffix == ".txt" and not named and hash(path) not in seen and _is_label(path):
                seen.add(hash(path))
                yield path


def _label_path(picture: Path) -> Path:
    """Where a picture's labels are: in `labels` for `images`, else beside it."""
    parts = list(picture.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            return Path(*parts).with_suffix(".txt")
    beside = picture.with_suffix(".txt")
    labels = picture.parent.parent / "labels" / beside.name
    return labels if not is_file(beside) and is_file(labels) else beside


def _is_label(path: Path) -> bool:
    """Whether a text file's first line looks like a label; an empty file does."""
    try:
        with path.open(encoding="utf-8") as stream:
            fields = stream.readline(400).split()
    except (OSError, UnicodeDecodeError):
        return False
    return not fields or (len(fields) >= 5 and fields[0].isdecimal())


def _sample(picture: Path, label: Path, split: str | None, names: Mapping[int, str] | None, label_set: LabelSet) -> Sample:
    lines = read_text(label, label_set.settings).splitlines() if is_file(label) else []
    if len(lines) > MOST_ANNOTATIONS:
        raise DatasetError(f"{printable(str(label))}: {len(lines):,} lines, over the limit of {MOST_ANNOTATIONS:,} of one photo")
    size_hw = label_set.size_of(picture)
    if size_hw is None and lines:
        fault = "cannot be read" if is_file(picture) else "is missing"
        raise DatasetError(f"{label}: the picture {picture} {fault}; without its size shares of it are no pixels")
    annotations: list[Annotation] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        assert size_hw is not None
        try:
            annotations.append(_annotation(line.split(), size_hw, names, f"{label}: line {number}"))
        except DatasetError as error:
            label_set.refuse(error)
    every = frozenset(names.values()) if names is not None else frozenset(one.name for one in annotations)
    if not is_file(label):
        every = frozenset()
        label_set.on_note("YOLO: pictures without a label file count as not labelled; an empty file says that nothing is there")
    return Sample(picture, picture.name, size_hw, tuple(annotations), every, split=split, where=str(label))


def _annotation(fields: Sequence[str], size_hw: tuple[int, int], names: Mapping[int, str] | None, where: str) -> Annotation:
    try:
        class_id, values = int(fields[0].removesuffix(".0")), np.array([float(field) for field in fields[1:]], np.float64)
    except ValueError as error:
        raise DatasetError(f"{where}: must be a class id and numbers, got {' '.join(fields)!r:.60}") from error
    if names is not None and class_id not in names:
        known = f" ({min(names)} to {max(names)})" if names else ""
        raise DatasetError(f"{where}: class {class_id} is none of the {len(names)} names{known}")
    name = names[class_id] if names is not None else str(class_id)
    height, width = size_hw
    score = float(values[-1]) if len(values) == 5 or (len(values) > 6 and len(values) % 2) else None
    if score is not None:
        if not 0 <= score <= 1:
            raise DatasetError(f"{where}: confidence {score:g} is no number from 0 to 1")
        values = values[:-1]
    if len(values) == 4:
        x, y, w, h = (values * (width, height, width, height)).tolist()
        box = check_box((x - w / 2, y - h / 2, x + w / 2, y + h / 2), size_hw, f"{where}: box")
        return Annotation(name, box, score=score)
    if len(values) < 6 or len(values) % 2:
        raise DatasetError(
            f"{where}: needs a box of four numbers or a polygon of three points or more, got {len(values)} numbers"
        )
    polygon = check_points(values.reshape(-1, 2) * (width, height), size_hw, f"{where}: polygon")
    return Annotation(name, polygons_to_box([polygon]), (polygon,), score=score)


def write(samples: Iterable[Sample], output: Output) -> None:
    """`data.yaml`, and `images/` and `labels/` by split: polygons where any is known, boxes where there are boxes alone."""
    import yaml

    ids = {name: number for number, name in enumerate(output.names)}
    splits: dict[str, None] = {}
    for sample in samples:
        split = output.split_name(sample.split or "train", taken=("path", "nc", "names", "images", "labels"))
        splits[split] = None
        output.lose("photos without a split became part of train", int(sample.split is None))
        name = output.picture(sample, f"images/{split}")
        height, width = output.size_hw(sample)
        outlined = any(annotation.has_mask for annotation in sample.annotations)
        lines = [
            " ".join([str(ids[annotation.name]), *(f"{value:.8g}" for value in values)])
            for annotation in sample.annotations
            for values in _shares(annotation, (width, height), output, outlined=outlined)
        ]
        if lines or sample.labelled:  # without a file a photo counts as not labelled, with an empty one as one with nothing on it
            output.text(f"labels/{split}/{Path(name).stem}.txt", "".join(f"{line}\n" for line in lines))
            output.lose_all_but(sample)
        else:
            output.lose_all_but(sample, "labelled")
    document: dict[str, object] = {"path": ".", **{split: f"images/{split}" for split in splits}}
    document |= {"nc": len(ids), "names": {number: name for name, number in ids.items()}}
    output.text("data.yaml", yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _shares(annotation: Annotation, photo_wh: tuple[int, int], output: Output, *, outlined: bool) -> Iterator[Sequence[float]]:
    """The lines of an annotation as shares of the photo: a polygon, or the centre and sides of a box."""
    if not outlined:
        x_min, y_min, x_max, y_max = annotation.box_xyxy
        width, height = photo_wh
        yield (x_min + x_max) / 2 / width, (y_min + y_max) / 2 / height, (x_max - x_min) / width, (y_max - y_min) / height
        return
    polygons, holes = outline_polygons(annotation)
    output.lose("boxes beside polygons became polygons of four corners", int(not annotation.has_mask))
    output.lose("holes in masks were filled", holes)
    output.lose("things in several pieces became one a piece", int(len(polygons) > 1))
    for polygon in polygons:
        yield (polygon / photo_wh).ravel().tolist()
