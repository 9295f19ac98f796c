"""YOLO: a text file a picture, a line a thing: class id, then a box (`x y w h`, of its centre) or a polygon, as shares.

Names and splits stand in `data.yaml` (Ultralytics, Roboflow), in `obj.names` and `obj.data` (Darknet, CVAT) or in `classes.txt`
(LabelImg), or nowhere. Texts lie in `labels` for pictures in `images`, or beside their picture; capital letters do not matter.
Behind the box may stand key points (`kpt_shape`), and in the end a confidence and the id of a track; points and ids are left out
with a note. `labelTxt` holds turned boxes as DOTA and Roboflow write them: four corners in pixels, a name, and whether it is
difficult. Shares become pixels of the upright photo, whose size its header tells. A picture without a text file is not labelled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from pathlib import Path

import numpy as np

from dentify.arrays import DoubleArray
from dentify.datasets.documents import read_text, read_yaml
from dentify.datasets.label_set import MOST_ANNOTATIONS, LabelSet, split_in
from dentify.datasets.numbers import is_int
from dentify.datasets.outlines import check_box, check_points
from dentify.datasets.output import Output, outline_polygons
from dentify.datasets.pictures import inside, is_file, picture_parts, same_name, walk
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name
from dentify.imaging.polygons import polygons_to_box
from dentify.settings import Settings

_NAME_FILES = ("classes.txt", "obj.names", "classes.names", "predefined_classes.txt", "names.txt", "class_names.txt")
_SPLIT_KEYS = ("train", "val", "valid", "validation", "test")
_FOLDERS = ("labels", "Labels", "LABELS", "labelTxt", "LabelTxt", "labeltxt", "LABELTXT")  # for pictures in `images`
_NOTES = ("imagesource:", "gsd:", "#")  # how DOTA's texts begin, and comments
_MOST_SHARE = 2.0  # beyond which numbers are pixels, and not shares of a photo that an outline reaches out of
_WHOLE = re.compile(r"-?\d+")


def is_yolo_yaml(path: Path, settings: Settings) -> bool:
    """Whether a YAML file names YOLO's classes."""
    document = read_yaml(path, settings)
    return isinstance(document.get("names"), list | dict | str) and any(key in document for key in (*_SPLIT_KEYS, "nc", "path"))


def in_folder(root: Path, files: Sequence[Path]) -> list[LabelSet]:
    """YOLO labels without a `data.yaml`: by their list of names, else by text files in a folder `labels` or beside pictures."""
    names = [path for path in files if path.name.lower() in _NAME_FILES]
    texts = [path for path in files if path.suffix.lower() == ".txt" and path.name.lower() not in _NAME_FILES]
    if names and any(_is_label(path) for path in texts):  # masks may come with a `classes.txt`, too
        return [LabelSet(path, root) for path in names[:1]]
    if any(_folder_of_labels(path.relative_to(root)) and _is_label(path) for path in texts):
        return [LabelSet(root, root)]
    if any(_is_turned(_first_fields(path)) for path in texts):  # which nothing else is; their pictures may lie elsewhere
        return [LabelSet(root, root)]
    pictures = {(path.parent, path.stem) for path in files if is_picture_name(path.name)}
    if any((path.parent, path.stem) in pictures and _is_label(path, filled=True) for path in texts):
        return [LabelSet(root, root)]
    return []


def _folder_of_labels(path: Path) -> bool:
    return any(part in _FOLDERS for part in path.parts[:-1])


@dataclass
class _Reading:
    """What the lines of a data set mean: names by class id, numbers of key points, and what the last numbers are."""

    label_set: LabelSet
    names: Mapping[int, str] | None
    points: int = 0  # numbers behind the box
    places: list[tuple[str | None, Path]] = field(default_factory=list)

    @cached_property
    def tracked(self) -> bool | None:
        """Whether lines end with ids of tracks, by all texts of the data set; `None` where none tells."""
        told: bool | None = None
        apart = [place for _, place in self.places if place.is_dir() and not place.is_relative_to(self.label_set.root)]
        for path in _labels(dict.fromkeys([self.label_set.root, *apart]), set()):
            try:
                lines = read_text(path, self.label_set.settings).splitlines()
            except DatasetError:
                continue  # told when its turn comes
            if len(lines) > MOST_ANNOTATIONS:
                continue  # likewise
            rows = [line.split() for line in lines]
            for ends in _last_numbers(rows, self.points):
                told = _are_ids(ends) if told is None else told
            if told:
                break
        return told


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their labels, split by split, by name."""
    reading = _opened(label_set)
    seen: set[Path] = set()
    taken: dict[int, int] = {}  # hashes of texts, and of the folder that their picture lies in
    for split, place in reading.places:
        told = split_in(place.stem)
        if told != split and (told, place) in reading.places:  # both are the pictures of one, which its name tells
            continue
        if place in seen:  # as in COCO128, whose val is its train
            label_set.on_note(f"{label_set.path}: {split} is the pictures of another split again; they count there")
            continue
        seen.add(place)
        for picture, label in _pairs(place, label_set):
            where = str(label)
            try:
                if is_file(picture) and is_file(label):
                    _check_alone(picture, label, taken)
                told = split or label_set.split_of(picture) or label_set.split_of(label)
                yield _sample(picture, label, told, reading)
            except DatasetError as error:
                label_set.refuse(error if str(error).startswith(where) else DatasetError(f"{where}: {error}", kind=error.kind))


def _opened(label_set: LabelSet) -> _Reading:
    """Names by class id, and where the pictures of each split are: folders, or text files that list them."""
    path = label_set.path
    if path.suffix.lower() in (".yaml", ".yml"):
        document = read_yaml(path, label_set.settings)
        reading = _Reading(label_set, _names(document.get("names"), path), _key_points(document.get("kpt_shape"), path))
        count = len(reading.names or ())
        if is_int(document.get("nc")) and document["nc"] != count:
            label_set.on_note(f"{path}: nc says {document['nc']}, names are {count}")
        for key in _SPLIT_KEYS:
            entries = document.get(key)
            for entry in entries if isinstance(entries, list) else [entries] if isinstance(entries, str) else []:
                place = _place(str(entry), document.get("path"), path.parent)
                if place is None:
                    if label_set.images is None:
                        label_set.on_note(f"{path}: {key}: no folder or list {printable(str(entry))!r}")
                else:
                    reading.places.append(("val" if key.startswith("val") else key, place))
        if label_set.images is not None:
            reading.places = [(None, label_set.images)]
        reading.places = reading.places or [(None, path.parent)]
        return reading
    if path.is_dir():
        return _Reading(label_set, None, places=[(None, label_set.images or path)])
    names = _listed(path, label_set.settings)
    for other in walk(label_set.root):
        if other.name.lower() in _NAME_FILES and other != path and _listed(other, label_set.settings) != names:
            told = f"{path} and {other}"
            raise DatasetError(f"{printable(told)}: name other classes, or in another order; open the folder of each by itself")
    return _Reading(label_set, names, places=[(None, label_set.images or label_set.root)])


def _listed(path: Path, settings: Settings) -> dict[int, str]:
    """The names in a list of a line each, by class id."""
    lines = [line.strip() for line in read_text(path, settings).splitlines()]
    return {index: name for index, name in enumerate(lines) if name}


def _names(names: object, path: Path) -> dict[int, str]:
    rows = dict(enumerate(names)) if isinstance(names, list) else names
    if isinstance(rows, dict) and any(name is None or isinstance(name, bool) for name in rows.values()):
        raise DatasetError(f"{path}: names: put words such as no, on and null in quotes, which YAML reads as something else")
    if not (
        isinstance(rows, dict)
        and all(str(key).isdecimal() for key in rows)
        and all(isinstance(name, str | int | float) for name in rows.values())
    ):
        raise DatasetError(f"{path}: names must be a list, or names by class id")
    return {int(key): str(name) for key, name in rows.items()}


def _key_points(shape: object, path: Path) -> int:
    """How many numbers stand behind a box for its key points: so many points of two or three numbers."""
    if shape is None:
        return 0
    if not (isinstance(shape, list) and len(shape) == 2 and all(isinstance(one, int) and 0 <= one < 10_000 for one in shape)):
        raise DatasetError(f"{path}: kpt_shape must be two whole numbers, as [17, 3], got {shape!r:.40}")
    return int(shape[0] * shape[1])


def _place(entry: str, base: object, beside: Path) -> Path | None:
    """The folder or list that an entry of `data.yaml` means: below its `path`, else beside it, ways up left out."""
    bases = [beside.joinpath(*picture_parts(base)) if isinstance(base, str) else beside, beside]
    for folder in bases:
        for parts in (picture_parts(entry), picture_parts(entry)[-2:]):
            place = inside(folder, parts)
            if place is not None and (place.is_dir() or (place.suffix.lower() == ".txt" and is_file(place))):
                return place
    return None


def _pairs(place: Path, label_set: LabelSet) -> Iterator[tuple[Path, Path]]:
    """Pictures, each with its text file; and text files whose picture is missing, with the path that it would have."""
    if place.suffix.lower() == ".txt" and place.is_file():
        pictures = label_set.pictures()
        for number, line in enumerate(read_text(label_set.check_inside(place), label_set.settings).splitlines(), 1):
            if line.strip():
                try:
                    picture = pictures.find(line.strip(), f"{place}: line {number}")
                except DatasetError as error:
                    label_set.refuse(error)
                    continue
                yield picture, _label_path(picture)
        return
    labelled: set[int] = set()  # hashes, which take a tenth of the paths' memory
    folders = [label_set.root] if label_set.images is not None else _label_folders(place)
    elsewhere: dict[str, list[Path]] = {}  # where pictures lie apart, labels are found by their names
    for label in _labels(folders, set()) if label_set.images is not None else ():
        elsewhere.setdefault(label.stem, []).append(label)
    stems: set[int] = set()
    for picture in walk(place):
        if is_picture_name(picture.name):
            texts = elsewhere.get(picture.stem, [])
            try:
                label = _agreeing(picture, texts) or _label_path(picture)
            except DatasetError as error:
                labelled.update(map(hash, texts))
                label_set.refuse(error)
                continue
            labelled.add(hash(label))
            stems.add(hash((picture.parent, picture.stem)))
            yield picture, label
    for label in _labels(folders, labelled):
        if hash((label.parent, label.stem)) in stems:
            label_set.adjust("texts beside pictures are left out where a folder of labels has one of that name", str(label))
            continue
        yield (label_set.images or label.parent) / f"{label.stem}.jpg", label


def _agreeing(picture: Path, texts: Sequence[Path]) -> Path | None:
    """Of the texts of a picture's name the one most of whose folders are the picture's.

    Raises:
        DatasetError: several agree alike.
    """
    told = _sorting_folders(picture)

    def agreed(text: Path) -> int:
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(told, _sorting_folders(text), strict=False)))

    best = sorted(texts, key=agreed, reverse=True)
    if len(best) > 1 and agreed(best[0]) == agreed(best[1]):
        both = " or ".join(printable(str(text)) for text in best[:2])
        raise DatasetError(
            f"{picture}: its labels may be {both}; put it into a folder that is called as theirs, or give each a name of its own",
            kind="ambiguous picture",
        )
    return best[0] if best else None


def _sorting_folders(path: Path) -> list[str]:
    """The folders that a file lies in, from the nearest on, but for those that are called `images` or `labels`."""
    return [part.casefold() for part in reversed(path.parts[:-1]) if part.lower() != "images" and part not in _FOLDERS]


def _check_alone(picture: Path, label: Path, taken: dict[int, int]) -> None:
    """Makes sure that no picture of the same name in another folder has the same text."""
    folder = hash(picture.parent)
    if taken.setdefault(hash(label), folder) != folder:
        raise DatasetError(
            f"{label}: is taken for the labels of two pictures of one name, {printable(str(picture))} and one in another folder;"
            " give each a text of its own",
            kind="ambiguous picture",
        )


def _labels(folders: Iterable[Path], seen: set[int]) -> Iterator[Path]:
    """The label files below folders, but those whose hashes are known; the hashes of the others come to them."""
    for folder in folders:
        for path in walk(folder) if folder.is_dir() else ():
            named = path.name.lower() in _NAME_FILES or path.stem.lower() in _SPLIT_KEYS
            if path.suffix.lower() == ".txt" and not named and hash(path) not in seen and _is_label(path):
                seen.add(hash(path))
                yield path


def _label_folders(place: Path) -> list[Path]:
    """A folder of pictures, and those that may hold their labels; each once, also where the system keeps no case apart."""
    folders = [place]
    for folder in (path.parent for path in _likely_labels(place / "a.jpg")):
        if folder.is_dir() and not any(folder.samefile(other) for other in folders):
            folders.append(folder)
    return folders


def _likely_labels(picture: Path) -> list[Path]:
    """Where a picture's labels may be, likeliest first: in `labels` or `labelTxt` for `images`, beside it, or in one beside."""
    name = f"{picture.stem}.txt"
    likely: list[Path] = []
    for index in range(len(picture.parts) - 2, -1, -1):
        if picture.parts[index].lower() == "images":
            above, below = type(picture)(*picture.parts[:index]), picture.parts[index + 1 : -1]
            likely = [above.joinpath(folder, *below, name) for folder in _FOLDERS]
            break
    return [*likely, picture.with_name(name), *(picture.parent.parent / folder / name for folder in _FOLDERS)]


def _label_path(picture: Path) -> Path:
    """Where a picture's labels are; where they would be when there are none."""
    likely = _likely_labels(picture)
    return next((found for path in likely if (found := _text_at(path)) is not None), likely[0])


def _text_at(path: Path) -> Path | None:
    """The text file of this name, whatever the case of its suffix and the Unicode form of its stem."""
    if is_file(path):
        return path
    for suffix in (".TXT", ".Txt"):
        if is_file(path.with_suffix(suffix)):
            return path.with_suffix(suffix)
    if path.stem.isascii() or not path.parent.is_dir():
        return None
    alike = [one for one in path.parent.iterdir() if same_name(one.name, path.name) and is_file(one)]
    return alike[0] if len(alike) == 1 else None


def _is_label(path: Path, *, filled: bool = False) -> bool:
    """Whether a text file's first line looks like a label; an empty file does, if it need not be filled."""
    fields = _first_fields(path)
    if not fields:
        return fields is not None and not filled
    return _is_turned(fields) or (
        len(fields) >= 5 and fields[0].removesuffix(".0").isdecimal() and all(map(_is_number, fields[1:5]))
    )


def _first_fields(path: Path) -> list[str] | None:
    """The words of a text file's first line that is no note; `None` where it is no text."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            fields = stream.readline(400).split()
            while fields and fields[0].lower().startswith(_NOTES):
                fields = stream.readline(400).split()
    except (OSError, UnicodeDecodeError):
        return None
    return fields


def _is_turned(fields: Sequence[str] | None) -> bool:
    """Whether a line is a turned box: four corners, a name, and whether it is difficult."""
    return fields is not None and len(fields) >= 9 and all(map(_is_number, fields[:8])) and not _is_number(fields[8])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _last_numbers(rows: Iterable[Sequence[str]], points: int) -> Iterator[list[str]]:
    """The last numbers of lines that have one or two more than their outline, by how many they have."""
    ends: dict[int, list[str]] = {}
    for row in rows:
        if len(row) - points >= 6 and not _is_turned(row):
            ends.setdefault(len(row) % 2 if not points else len(row) - points, []).append(row[-1])
    return iter(ends.values())


def _are_ids(ends: Sequence[str]) -> bool | None:
    """Whether the last numbers of a file's lines are ids of tracks: whole, and not all of them 0 or 1, which a share may be."""
    if not all(_WHOLE.fullmatch(end) for end in ends) or set(ends) == {"0"}:  # trackers count from 1
        return False
    return True if set(ends) - {"0", "1"} else None


def _sample(picture: Path, label: Path, split: str | None, reading: _Reading) -> Sample:
    label_set, names = reading.label_set, reading.names
    lines = read_text(label_set.check_inside(label), label_set.settings).splitlines() if is_file(label) else []
    if len(lines) > MOST_ANNOTATIONS:
        raise DatasetError(f"{printable(str(label))}: {len(lines):,} lines, over the limit of {MOST_ANNOTATIONS:,} of one photo")
    size_hw = label_set.size_of(picture)
    if size_hw is None and lines:
        fault = "cannot be read" if is_file(picture) else "is missing"
        raise DatasetError(f"{label}: the picture {picture} {fault}; without its size shares of it are no pixels")
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    rows = [(number, row) for number, row in rows if not row[0].lower().startswith(_NOTES)]
    ids = {odd: _are_ids([row[-1] for _, row in rows if len(row) % 2 == odd and len(row) > 5]) for odd in (0, 1)}
    if ids[1] is None and any(len(row) > 7 and len(row) % 2 for _, row in rows):  # the file holds polygons
        ids[1] = False
    annotations: list[Annotation] = []
    for number, row in rows:
        assert size_hw is not None
        where = f"{label}: line {number}"
        try:
            if _is_turned(row):
                annotations.append(_turned_box(row, size_hw, where, label_set))
            else:
                annotations.append(_annotation(row, size_hw, reading, where, tracked=ids[len(row) % 2]))
        except DatasetError as error:
            label_set.refuse(error)
    every = frozenset(names.values()) if names is not None else frozenset(one.name for one in annotations)
    if not is_file(label):
        every = frozenset()
        label_set.on_note("YOLO: pictures without a label file count as not labelled; an empty file says that nothing is there")
    return Sample(picture, picture.name, size_hw, tuple(annotations), every, split=split, where=str(label))


def _turned_box(fields: Sequence[str], size_hw: tuple[int, int], where: str, label_set: LabelSet) -> Annotation:
    """Four corners in pixels and a name, which may have several words; what is difficult is not told apart."""
    *name, difficult = fields[8:] if len(fields) > 9 and _is_number(fields[-1]) else (*fields[8:], "0")
    if float(difficult):
        label_set.adjust("marks of what is difficult are left out", where)
    points = np.array([float(value) for value in fields[:8]], np.float64).reshape(4, 2)
    polygon = check_points(points, size_hw, f"{where}: turned box", label_set.adjust, reach=math.inf)
    return Annotation(" ".join(name), polygons_to_box([polygon]), (polygon,))


def _annotation(
    fields: Sequence[str], size_hw: tuple[int, int], reading: _Reading, where: str, *, tracked: bool | None
) -> Annotation:
    names, label_set = reading.names, reading.label_set
    try:
        class_id, values = int(fields[0].removesuffix(".0")), np.array([float(field) for field in fields[1:]], np.float64)
    except ValueError as error:
        raise DatasetError(f"{where}: must be a class id and numbers, got {' '.join(fields)!r:.60}") from error
    if names is not None and class_id not in names:
        known = f" ({min(names)} to {max(names)})" if names else ""
        raise DatasetError(f"{where}: class {class_id} is none of the {len(names)} names{known}")
    name = names[class_id] if names is not None else str(class_id)
    if np.isfinite(values).all() and np.abs(values[:4]).max(initial=0.0) > _MOST_SHARE:  # behind may stand the id of a track
        raise DatasetError(f"{where}: must be shares of the photo, from 0 to 1, got {values[:4].max():g}; are they pixels?")
    height, width = size_hw
    values, score = _without_ends(values, fields[-1], reading, where, tracked=tracked)
    if reading.points and len(values) == 4 + reading.points:
        values = values[:4]
        label_set.adjust("key points are left out: they have no outline", where)
    if len(values) == 4:
        x, y, w, h = (values * (width, height, width, height)).tolist()
        box = check_box((x - w / 2, y - h / 2, x + w / 2, y + h / 2), size_hw, f"{where}: box", label_set.adjust)
        return Annotation(name, box, score=score)
    if reading.points:
        raise DatasetError(
            f"{where}: needs a box and {reading.points} numbers of key points, as kpt_shape says, got {len(values)}"
        )
    if len(values) < 6 or len(values) % 2:
        raise DatasetError(
            f"{where}: needs a box of four numbers or a polygon of three points or more, got {len(values)} numbers"
        )
    polygon = check_points(values.reshape(-1, 2) * (width, height), size_hw, f"{where}: polygon", label_set.adjust)
    return Annotation(name, polygons_to_box([polygon]), (polygon,), score=score)


def _without_ends(
    values: DoubleArray, last: str, reading: _Reading, where: str, *, tracked: bool | None
) -> tuple[DoubleArray, float | None]:
    """The numbers of an outline without the confidence and the id of a track that may stand behind them, and the confidence.

    An odd number more is one of the two, two more are both. Ids are whole numbers; where all of a file are 0 or 1 the other files
    of the data set tell, and where none does, nobody can.
    """
    outline = 4 + reading.points
    odd = (len(values) == outline + 1) if reading.points else len(values) == 5 or (len(values) > 6 and len(values) % 2 == 1)
    even = (len(values) == outline + 2) if reading.points else len(values) >= 6 and len(values) % 2 == 0
    if not (odd or even):
        return values, None
    if tracked is None:
        tracked = reading.tracked
    if even and reading.points:
        tracked = True
    if tracked is None and odd:
        raise DatasetError(
            f"{where}: {last} may be a confidence or the id of a track; write 1.0 for a confidence, or leave ids out"
        )
    if tracked is None and len(values) == 6 and _fits_a_box(values):
        raise DatasetError(
            f"{where}: may be a polygon of three points, or a box with a confidence and the id of a track; leave ids out"
        )
    if tracked:
        reading.label_set.adjust("ids of tracks are left out", where)
        values = values[:-1]
    elif even:
        return values, None
    if tracked and odd:
        return values, None
    if not 0 <= values[-1] <= 1:
        raise DatasetError(f"{where}: confidence {values[-1]:g} is no number from 0 to 1")
    return values[:-1], float(values[-1])


def _fits_a_box(values: DoubleArray) -> bool:
    x, y, w, h, score = (float(value) for value in values[:5])
    return w > 0 and h > 0 and min(x - w / 2, y - h / 2) >= 0 and max(x + w / 2, y + h / 2) <= 1 and 0 <= score <= 1


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
            " ".join([str(ids[annotation.name]), *map(_share, values)])
            for annotation in sample.annotations
            for values in _shares(annotation, (width, height), output, outlined=outlined)
        ]
        if lines or sample.labelled:  # without a file a photo counts as not labelled, with an empty one as one with nothing on it
            output.text(f"labels/{split}/{Path(name).stem}.txt", "".join(f"{line}\n" for line in lines))
            output.lose_all_but(sample)
        else:
            output.lose_all_but(sample, "labelled")
    document: dict[str, object] = {split: f"images/{split}" for split in splits}
    again: list[str] = []
    for needed, other in (("train", "val"), ("val", "train")):  # Ultralytics takes no file without both
        if needed not in splits:
            named = other if other in splits else next(iter(splits), needed)
            document[needed] = f"images/{named}"
            again += [f"# {needed} names {named} again, as Ultralytics wants both; `dentify dataset split` makes both.\n"]
    document |= {"nc": len(ids), "names": {number: name for name, number in ids.items()}}
    output.text("data.yaml", "".join(again) + yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _share(value: float) -> str:
    """A share as text; never a whole number, which a reader may take for the id of a track."""
    text = f"{value:.8g}"
    return f"{text}.0" if text.lstrip("-").isdecimal() else text


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
