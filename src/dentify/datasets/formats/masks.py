"""Masks as pictures: class indices, colours, or black and white with a folder a class.

Masks lie in folders of their own (`masks`, `SegmentationClass`, `trainannot` …), named as their photos are. What indices or
colours stand for is told by `labelmap.txt` (CVAT, Datumaro), `label_colors.txt` (CamVid), `class_names.txt` (LabelMe) or
`classes.txt`; a mask of one value in a folder of its class is of that class; else the value itself is the word, and a label map
can rename it. 0, black and what is transparent are background, 255 among indices is "ignore". Every connected piece is a thing
of its own: masks do not tell more. Masks may also lie beside their photos, called as those with `_mask` or the like behind, and
in `annotations` or `labels` where their photos lie elsewhere.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dentify.arrays import BoolArray
from dentify.assessment import Box, Mask
from dentify.datasets.documents import read_text
from dentify.datasets.label_set import MOST_ANNOTATIONS, LabelSet, split_in
from dentify.datasets.outlines import mask_of
from dentify.datasets.output import Output
from dentify.datasets.pictures import walk
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, ImageError, printable
from dentify.imaging.decode import decode_label_map
from dentify.imaging.files import read_photo_file
from dentify.imaging.formats import is_picture_name
from dentify.imaging.label_maps import LabelMap
from dentify.imaging.masks import mask_to_box, polygons_to_rle, rle_area, rle_to_box, rle_to_crop
from dentify.imaging.polygons import box_to_polygon

_MASK_FOLDER = re.compile(
    r"(.*[-_ ]|train|val|test)?(masks?|segmentationclass(png|raw)?|annot|ground_?truth|gt|labels?_?png)", re.IGNORECASE
)
_INSTANCE_FOLDER = re.compile(r".*(segmentationobject|instance).*|.*[-_ ]edges?", re.IGNORECASE)
_PICTURE_FOLDER = re.compile(r"im(age|g)s?|photo|picture|jpeg", re.IGNORECASE)
_NAME_LISTS = ("labelmap.txt", "label_colors.txt", "class_names.txt", "classes.txt", "labels.txt")
_LABEL_FOLDER = re.compile(r"ann(otation)?s?([-_ ]?(dir|img|png))?|labels?", re.IGNORECASE)  # where masks, too, may lie
_LOSSLESS = (".png", ".bmp", ".tif", ".tiff")
_SUFFIX = re.compile(r"[-_. ](masks?|seg(mentation)?|labels?|gt|ground_?truth|annot)([-_ ]?\d+)?$", re.IGNORECASE)
_BESIDE_SUFFIX = re.compile(r"[-_. ](masks?|seg(mentation)?|ground_?truth)([-_ ]?\d+)?$", re.IGNORECASE)
_OPENED = re.compile(r"(.*[-_ ])?masks?|segmentationclass(png|raw)?|(train|val|test)annot", re.IGNORECASE)  # as such themselves
_BACKGROUND = ("background", "_background_", "__background__", "bg", "void", "unlabeled", "unlabelled", "__ignore__", "ignore")
_MOST_COLOURS = 256
_IGNORED = 255
_VOC_VOID = (224, 224, 192)

Colour = tuple[int, int, int]
Pixels = NDArray[np.uint8]
_COVERED_FREE, _MOST_COVERED = 400_000_000, 20  # pixels within the boxes of a photo's pieces, or so often all of it
_ROWS = 256  # of a mask that are looked at at a time


@dataclass(frozen=True)
class _Names:
    """What a set's list of names says: by index, by colour, or nothing; `coloured` where it tells the colours itself."""

    by_index: Mapping[int, str] = field(default_factory=dict)
    by_colour: Mapping[Colour, str] = field(default_factory=dict)
    coloured: bool = False

    @property
    def labelled(self) -> frozenset[str]:
        """Every name but the background's."""
        return frozenset({*self.by_index.values(), *self.by_colour.values()} - set(_BACKGROUND))


def in_folder(root: Path, files: Sequence[Path]) -> list[LabelSet]:
    """The root, where it holds folders of masks or is one."""
    pictures = [path for path in files if is_picture_name(path.name)]
    beside = _beside(pictures)
    found = any(_mask_folder(path, root, beside) is not None for path in pictures)
    return [LabelSet(root, root)] if found else []


def _beside(pictures: Sequence[Path]) -> dict[Path, Path]:
    """Masks that lie in no folder of masks, each with its folder: beside their photo, or among labels, their photo elsewhere."""
    stems: dict[str, list[Path]] = {}
    for path in pictures:
        stems.setdefault(path.stem.casefold(), []).append(path)
    places = {(path.parent, path.stem.casefold()) for path in pictures}
    found: dict[Path, Path] = {}
    for path in pictures:
        if path.suffix.lower() not in _LOSSLESS:
            continue
        labels = next((folder for folder in path.parents if _LABEL_FOLDER.fullmatch(folder.name)), None)
        stem = _BESIDE_SUFFIX.sub("", path.stem).casefold()
        if labels is not None and any(not other.is_relative_to(labels) for other in stems[path.stem.casefold()]):
            found[path] = labels
        elif stem != path.stem.casefold() and (path.parent, stem) in places:
            found[path] = path.parent
    return found


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and the pieces of their masks, by the names of the masks."""
    pictures = [path for path in walk(label_set.root) if is_picture_name(path.name)]
    beside = _beside(pictures)
    is_masks = any(_mask_folder(path, label_set.root, beside) == label_set.root for path in pictures if path not in beside)
    base = label_set.root.parent if is_masks else label_set.root
    names = _read_names(label_set, base)
    photos = _photos(label_set.images or base, beside)
    near = _by_folder(photos)
    masks: dict[Path, list[tuple[Path, str]]] = {}
    for path in pictures:
        folder = _mask_folder(path, label_set.root, beside)
        if folder is not None:
            try:
                photo = _photo_of(path, folder, photos, near) or base / "images" / path.name
            except DatasetError as error:
                label_set.refuse(error)
                continue
            masks.setdefault(photo, []).append((path, _class_of(path, folder, base, photo)))
    for photo, files in masks.items():
        where = str(files[0][0])
        try:
            yield _sample(photo, files, names, label_set)
        except ImageError as error:
            label_set.refuse(DatasetError(str(error)))
        except DatasetError as error:
            label_set.refuse(error if str(error).startswith(where) else DatasetError(f"{where}: {error}"))


def _mask_folder(path: Path, root: Path, beside: Mapping[Path, Path]) -> Path | None:
    """The folder of masks that a file lies in, at any depth below it, up to the root."""
    if path in beside:
        return beside[path]
    for folder in path.parents:
        if folder == root and path.parent != root:  # a data set may be called `car_masks`
            break
        if (_MASK_FOLDER if folder != root else _OPENED).fullmatch(folder.name):
            return folder
        if folder == root or _INSTANCE_FOLDER.fullmatch(folder.name):
            break
    return None


def _class_of(path: Path, folder: Path, base: Path, photo: Path) -> str:
    """The class that folders name: one below the folder of masks, else one around it; empty where none does.

    Folders below that the photo lies in, too, sort photos, and are no classes.
    """
    below = path.relative_to(folder).parts[:-1]
    below = below[: len(below) - _agreed(below, photo)]
    around = folder.relative_to(base).parts if folder.is_relative_to(base) else ()
    if _MASK_FOLDER.fullmatch(folder.name) or _LABEL_FOLDER.fullmatch(folder.name):
        around = around[:-1]
    for part in (*below[::-1], *around[::-1]):
        if split_in(part) is None and not _PICTURE_FOLDER.search(part):
            return part
    return ""


def _photos(base: Path, beside: Mapping[Path, Path]) -> dict[str, list[Path]]:
    """All pictures that are no masks, by their stems."""
    photos: dict[str, list[Path]] = {}
    for path in walk(base):
        other = any(_INSTANCE_FOLDER.fullmatch(part) for part in path.relative_to(base).parts[:-1])
        if is_picture_name(path.name) and _mask_folder(path, base, beside) is None and not other:
            photos.setdefault(path.stem, []).append(path)
    return photos


def _by_folder(photos: Mapping[str, list[Path]]) -> dict[tuple[str, Path | str], list[Path]]:
    """Photos that share their stem with others, by it and each folder that they lie in, and by the name of the nearest."""
    near: dict[tuple[str, Path | str], list[Path]] = {}
    for stem, paths in photos.items():
        for path in paths if len(paths) > 1 else ():
            places: list[Path | str] = [*path.parents, path.parent.name]
            for place in places:
                near.setdefault((stem, place), []).append(path)
    return near


def _photo_of(
    mask: Path, folder: Path, photos: Mapping[str, list[Path]], near: Mapping[tuple[str, Path | str], list[Path]]
) -> Path | None:
    """The photo of a mask: of its stem, in folders of the same names, in the folder that is nearest, one for pictures first.

    Raises:
        DatasetError: several fit alike.
    """
    below = mask.relative_to(folder).parts[:-1]

    def fit(photo: Path) -> tuple[int, int, bool]:
        return _agreed(below, photo), _folders_shared(photo, mask), bool(_PICTURE_FOLDER.search(photo.parent.name))

    for stem in dict.fromkeys((mask.stem, _SUFFIX.sub("", mask.stem))):
        most = len(below) if below and (stem, below[-1]) in near else 0
        around = (near.get((stem, above), []) for above in mask.parents)
        every = photos.get(stem, [])
        nearest = next((paths for paths in around if any(_agreed(below, one) == most for one in paths)), every)
        candidates = sorted(nearest, key=fit, reverse=True)
        if len(candidates) > 1 and fit(candidates[0]) == fit(candidates[1]):
            told = " or ".join(printable(str(one)) for one in candidates[:2])
            raise DatasetError(f"{mask}: may be the mask of {told}; give each a name of its own", kind="ambiguous picture")
        if candidates:
            return candidates[0]
    return None


def _agreed(below: Sequence[str], photo: Path) -> int:
    """How many of the last folders of a mask the photo lies in, too."""
    pairs = zip(reversed(below), reversed(photo.parent.parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _folders_shared(one: Path, other: Path) -> int:
    return sum(1 for _ in takewhile(lambda parts: parts[0] == parts[1], zip(one.parts, other.parts, strict=False)))


def _read_names(label_set: LabelSet, base: Path) -> _Names:
    """The set's list of names, where there is one: the first beside or above the masks."""
    for folder in dict.fromkeys((label_set.root, base)):
        for name in _NAME_LISTS:
            if (folder / name).is_file():
                return _parse_names(folder / name, read_text(label_set.check_inside(folder / name), label_set.settings))
    label_set.on_note(
        f"{label_set.root}: no list of class names; values of pixels are the words, and what a mask does not hold is unknown"
    )
    return _Names()


def _parse_names(path: Path, text: str) -> _Names:
    """`name:r,g,b:parts:actions` (CVAT), `r g b name` (CamVid), or a name a line."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    by_colour: dict[Colour, str] = {}
    plain: list[str] = []
    for line in lines:
        cvat = re.fullmatch(r"([^:]+):(\d+),(\d+),(\d+)(:.*)?", line)
        camvid = re.fullmatch(r"(\d+)\s+(\d+)\s+(\d+)\s+(.+)", line)
        if cvat:
            by_colour[int(cvat[2]), int(cvat[3]), int(cvat[4])] = cvat[1].strip()
        elif camvid:
            by_colour[int(camvid[1]), int(camvid[2]), int(camvid[3])] = camvid[4].strip()
        else:
            plain.append(re.split(r"[:,]", line)[0].strip())
    if by_colour and plain:
        plain = []  # CVAT writes labels that nobody coloured with an empty colour
    if plain and plain[0].lower() == "__ignore__":
        plain = plain[1:]  # LabelMe's: index -1, that is 255
    offset = 0 if plain and plain[0].lower() in _BACKGROUND else 1
    by_index = {index + offset: name for index, name in enumerate(plain)}
    coloured = bool(by_colour)
    if coloured:  # an index mask without palette follows the same order
        by_index = dict(enumerate(by_colour.values(), 0 if (0, 0, 0) in by_colour else 1))
    else:  # names without colours stand for the palette that VOC made common
        by_colour = {_voc_colour(index): name for index, name in by_index.items()}
    return _Names(by_index, by_colour, coloured)


def _voc_colour(index: int) -> Colour:
    """The colour of a class in Pascal VOC's palette: its bits, dealt out to red, green and blue, highest first.

    >>> _voc_colour(1), _voc_colour(3), _voc_colour(9)
    ((128, 0, 0), (128, 128, 0), (192, 0, 0))
    """
    red = green = blue = 0
    for place in range(7, -1, -1):
        red, green, blue = red | (index & 1) << place, green | (index >> 1 & 1) << place, blue | (index >> 2 & 1) << place
        index >>= 3
    return red, green, blue


def _sample(photo: Path, files: Sequence[tuple[Path, str]], names: _Names, label_set: LabelSet) -> Sample:
    first = files[0][0]
    camvid = _MASK_FOLDER.fullmatch(first.parent.name)  # whose folders are called `trainannot` and `valannot`
    annotations: list[Annotation] = []
    labelled = set(names.labelled)
    size_hw: tuple[int, int] | None = None
    covered = 0
    for path, of_class in files:
        data = read_photo_file(path, where=str(path), settings=label_set.settings)
        pixels, palette = decode_label_map(data, where=str(path), settings=label_set.settings)
        height, width = pixels.shape[:2]
        if size_hw not in (None, (height, width)):
            raise DatasetError(f"{path}: is {width} × {height} pixels, the photo's other masks are not")
        size_hw = (height, width)
        colours: list[Colour] | None = None
        if pixels.ndim == 3:
            pixels, colours = _indexed(pixels, path)
        for value, word in _words(pixels, colours, palette, of_class, names, path, label_set):
            labelled.add(word)
            shown = pixels == value if value is not None else pixels > 0
            for box, rle in _pieces(shown, str(path)):
                annotations.append(Annotation(word, box, rle=rle))
                covered += int((box[2] - box[0]) * (box[3] - box[1]))
                if len(annotations) > MOST_ANNOTATIONS or covered > max(_COVERED_FREE, _MOST_COVERED * height * width):
                    raise DatasetError(f"{path}: falls into too many pieces to be a mask of damage; is it noise, or a photo?")
        if of_class:
            labelled.add(of_class)
    return Sample(
        image=photo,
        name=photo.name,
        size_hw=size_hw,
        annotations=tuple(annotations),
        labelled=frozenset(labelled),
        split=label_set.split_of(first) or (split_in(camvid[1] or "") if camvid else None),
        where=str(first),
    )


def _indexed(pixels: LabelMap, path: Path) -> tuple[LabelMap, list[Colour]]:
    """A coloured mask as indices of its colours, and those."""

    def packed(top: int) -> NDArray[np.int32]:
        strip = pixels[top : top + _ROWS].astype(np.int32)
        return strip[:, :, 0] << 16 | strip[:, :, 1] << 8 | strip[:, :, 2]

    values = _values(map(packed, range(0, len(pixels), _ROWS)), "colours", path)
    indices = np.zeros(pixels.shape[:2], np.uint8)
    for top in range(0, len(pixels), _ROWS):
        indices[top : top + _ROWS] = np.searchsorted(values, packed(top))
    return indices, [(value >> 16, value >> 8 & 255, value & 255) for value in values]


def _values(strips: Iterable[LabelMap], what: str, path: Path) -> list[int]:
    """What values some pixels have."""
    values: set[int] = set()
    for strip in strips:
        values.update(np.unique(strip).tolist())
        if len(values) > _MOST_COLOURS:
            told = f"holds more than {_MOST_COLOURS} {what}, a mask has few"
            raise DatasetError(f"{path}: {told}; is it a photo, or one of instances?")
    return sorted(values)


def _words(
    pixels: LabelMap,
    colours: Sequence[Colour] | None,
    palette: Pixels | None,
    of_class: str,
    names: _Names,
    path: Path,
    label_set: LabelSet,
) -> Iterator[tuple[int | None, str]]:
    """Each value that a mask holds, with its word; no value where all but 0 is of one class."""
    if of_class and not names.by_index and not names.by_colour:
        if colours is not None:
            yield from ((index, of_class) for index, colour in enumerate(colours) if any(colour))
        elif pixels.any():
            yield None, of_class
        return
    if colours is not None:
        values = list(range(len(colours)))
        marked = [index for index in values if any(colours[index])]
    else:
        values = _values((pixels[top : top + _ROWS] for top in range(0, len(pixels), _ROWS)), "values", path)
        marked = [index for index in values if index]
    if of_class in names.labelled and len(marked) == 1 and (palette is None or not names.coloured):  # black and white
        yield marked[0], of_class
        return
    if colours is not None:
        for index, colour in enumerate(colours):
            word = "void" if colour == _VOC_VOID else names.by_colour.get(colour)
            if word is None and names.by_colour and colour != (0, 0, 0):
                raise DatasetError(f"{path}: holds the colour {colour}, which the list of names does not know")
            word = word if word is not None else "background" if colour == (0, 0, 0) else "#{:02x}{:02x}{:02x}".format(*colour)
            if word.lower() not in _BACKGROUND:
                yield index, word
        return
    alone = [index for index in values if index] == [_IGNORED]
    for index in values:
        shown = tuple(palette[index].tolist()) if names.coloured and palette is not None and index < len(palette) else None
        coloured = names.by_colour.get(shown) if shown is not None else None
        word = coloured if coloured is not None else names.by_index.get(index)
        if word is None and index == _IGNORED and alone and len(names.labelled) == 1:
            (word,) = names.labelled  # black and white, of the one class that there is
        if word is None and index in (0, _IGNORED) and (index == 0 or len(values) > 2 or names.by_index):
            if index and alone:
                label_set.adjust("pixels of 255 alone, which mark what is to be ignored, are left out", str(path))
            continue
        if word is None and (names.by_index or names.by_colour):
            known = len(names.by_index) or len(names.by_colour)
            raise DatasetError(f"{path}: class index {index} is none of the {known} that the list of names knows")
        word = word if word is not None else of_class or str(index)
        if word.lower() not in _BACKGROUND:
            yield index, printable(word)


def _pieces(mask: BoolArray, where: str) -> Iterator[tuple[Box, Mask]]:
    """The connected pieces of a mask, each with its box, from top to bottom."""
    whole = mask_to_box(mask)
    if whole is None:
        return
    left, top, right, bottom = map(int, whole)
    count, numbered, stats, _ = cv2.connectedComponentsWithStats(mask[top:bottom, left:right].astype(np.uint8), connectivity=8)
    if count > MOST_ANNOTATIONS:
        raise DatasetError(f"{where}: falls into {count - 1:,} pieces; is it noise, or a photo?")
    photo_hw = (mask.shape[0], mask.shape[1])
    for number in range(1, count):
        x, y, w, h = (int(value) for value in stats[number, :4])
        rle = mask_of(numbered[y : y + h, x : x + w] == number, (left + x, top + y), photo_hw, where)
        yield (float(left + x), float(top + y), float(left + x + w), float(top + y + h)), rle


def write(samples: Iterable[Sample], output: Output) -> None:
    """`masks/` of class indices with a palette, `labelmap.txt`, and `images/`; small things are painted over large ones."""
    ids = {name: number for number, name in enumerate(output.names, 1)}
    if len(ids) >= _IGNORED:
        raise DatasetError(f"{len(ids)} names are more than the {_IGNORED - 1} that a mask of one byte can tell apart")
    palette = [channel for index in range(len(ids) + 1) for channel in _voc_colour(index)]
    for sample in samples:
        below = f"/{sample.split}" if sample.split in ("train", "val", "test") else ""  # any other is taken for a class
        output.lose("splits other than train, val and test were left out", int(bool(sample.split) and not below))
        name = output.picture(sample, f"images{below}", alone_in="images")  # masks find their photos by name alone
        picture = Image.fromarray(_painted(sample, ids, output))
        picture.putpalette(palette)
        data = io.BytesIO()
        picture.save(data, "PNG", optimize=False)
        output.bytes(f"masks{below}/{Path(name).stem}.png", data.getvalue())
        output.lose_all_but(sample)
    words = ["background", *_fit_words(output.names)]
    output.lose("names were respelled, as the list of names cannot hold them", sum(map(str.__ne__, words[1:], output.names)))
    rows = [f"{word}:{','.join(map(str, _voc_colour(number)))}::" for number, word in enumerate(words)]
    output.text("labelmap.txt", "\n".join(["# label:color_rgb:parts:actions", *rows, ""]))


def _painted(sample: Sample, ids: Mapping[str, int], output: Output) -> Pixels:
    """`(h, w)` class indices of a photo's annotations, the largest painted first, and a note of what pixels cannot tell."""
    size_hw = output.size_hw(sample)
    masks: list[tuple[Annotation, Mask]] = []
    for annotation in sample.annotations:
        outline = annotation.polygons or [box_to_polygon(annotation.box_xyxy)]
        masks.append((annotation, annotation.rle if annotation.rle is not None else polygons_to_rle(outline, size_hw)))
    pixels = np.zeros(size_hw, np.uint8)
    for annotation, rle in sorted(masks, key=lambda pair: -rle_area(pair[1])):
        output.lose("polygons became pixels", int(bool(annotation.polygons)))
        output.lose("boxes became filled rectangles", int(not annotation.has_mask))
        box = rle_to_box(rle)
        if box is None:
            output.lose("things too thin to cover the middle of a pixel were left out")
            continue
        left, top, right, bottom = (int(side) for side in box)
        mask = rle_to_crop(rle, box, (bottom - top, right - left))
        ground = pixels[top:bottom, left:right]
        output.lose("things lie on others, whose pixels below are lost", int((ground[mask] > 0).any()))
        ground[mask] = ids[annotation.name]
    for name, count in Counter(annotation.name for annotation in sample.annotations).items():
        pieces = cv2.connectedComponents((pixels == ids[name]).astype(np.uint8), connectivity=8)[0] - 1
        output.lose("things of one type that touch are one, and pieces that lie apart things of their own", int(pieces != count))
    return pixels


def _fit_words(names: Sequence[str]) -> list[str]:
    """Names as a list of names can hold them: no colon and no line break, no background, no two the same.

    >>> _fit_words(["dent", "part:rear fender", "part rear fender", "background"])
    ['dent', 'part rear fender', 'part rear fender 2', 'background 1']
    """
    words: list[str] = []
    for name in names:
        plain = printable(name.replace(":", " ")).removeprefix("#").strip() or "unnamed"
        word = f"{plain} 1" if plain.lower() in _BACKGROUND else plain
        number = 1
        while word in words:
            number += 1
            word = f"{plain} {number}"
        words.append(word)
    return words
