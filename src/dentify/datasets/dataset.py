"""`open_dataset`: any annotation format in, `Sample`s out.

    for sample in open_dataset("photos"):
        …

The format is recognised from the files. Nothing but label files is read to open a data set, and of a picture no more than its
header to iterate over it; each iteration reads anew, photo by photo.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dentify.datasets.adjustments import Adjustments, OnAdjust
from dentify.datasets.attributes import TypesBeside, by_attributes, told_missing
from dentify.datasets.documents import csv_columns, csv_head, read_csv, read_json, xml_root
from dentify.datasets.formats import FORMATS
from dentify.datasets.formats.tables import needs_names
from dentify.datasets.formats.unread import LINES, first_line, speaks_of_pictures, told_others, told_unread, unread_product
from dentify.datasets.label_set import MOST_ANNOTATIONS, TURNED, LabelSet, OnInvalid, OnNote
from dentify.datasets.labels import (
    VEHICLE,
    LabelMap,
    check_words,
    is_no_label,
    is_vehicle_word,
    names_of,
    photo_word,
    severity_word,
    told_unmapped,
)
from dentify.datasets.outlines import check_mask_size
from dentify.datasets.pictures import is_file, leads_out, walk
from dentify.datasets.sample import PHOTO_WORDS, Annotation, Sample, canonical_name
from dentify.datasets.turning import Frame, turn_upright
from dentify.datasets.zipped import ZippedPath, is_zipped, on_disk, zipped
from dentify.errors import DatasetError, ImageError, printable
from dentify.imaging.decode import DecodedPhoto, decode_photo, read_photo_frame
from dentify.imaging.formats import is_picture_name
from dentify.names import clean_name
from dentify.settings import Settings
from dentify.spreadsheets import cell_text
from dentify.taxonomy import DAMAGE_NAMES
from dentify.writing import check_apart

_MOST_LOOKED_AT = 1000  # files of no known format whose text is looked at
_MOST_ATTRIBUTES = 100  # attributes, and values of one, that are counted apart; texts may be a million
_MOST_NAMES = 10_000  # of types and parts; what is known of each photo is told by them
_LAYERS_FREE, _MOST_LAYERS = 400_000_000, 20  # pixels within the boxes of a photo, or so often all of it: a second a layer
_FAULTS_FREE, _FAULT_BYTES = 20_000, 120  # things that do not hold, and bytes of labels for each further one: it takes a kilobyte
SPLITS = "splits.csv"
"""Written by `dentify dataset split` beside the labels: columns `file`, `split`, `group`."""


class _Faults:
    """Hands on what does not hold, as long as it is in proportion to the bytes of the labels.

    Args:
        path: of the data set.
        on_invalid: is given what does not hold.
        files: of its labels.
    """

    def __init__(self, path: Path, on_invalid: OnInvalid, files: Sequence[Path]) -> None:
        self.count = 0
        self._path, self._on_invalid, self._files = path, on_invalid, files
        self._most: int | None = None

    def __call__(self, error: DatasetError) -> None:
        """Hands it on.

        Raises:
            DatasetError: there are too many; from then on at every further one.
        """
        self.count += 1
        if self.count > _FAULTS_FREE:
            if self._most is None:
                self._most = _FAULTS_FREE + sum(one.stat().st_size for one in self._files if is_file(one)) // _FAULT_BYTES
            if self.count > self._most:
                told = f"more than {self._most:,} photos and labels do not hold, with which"
                raise DatasetError(
                    f"{self._path}: {told} it ends; are these its labels, and its pictures there, as --images may say?"
                    f" One of them: {error}",
                    kind=error.kind,
                )
        self._on_invalid(error)


class Dataset:
    """A data set whose format is known; iterating gives its `Sample`s.

    Attributes:
        path: what was opened.
        format: name of its format, a key of `FORMATS`.
        adjustments: what the last reading normalised, ignored or left out, by rule.
        unknown: words of the source that nobody explained, and how often the last reading met them.
        attributes: what annotators said beside labels and was not read: by attribute its values, as the last reading met them.
    """

    def __init__(
        self,
        path: Path,
        format_name: str,
        label_sets: tuple[LabelSet, ...],
        *,
        labels: LabelMap,
        check_pictures: bool,
        on_invalid: OnInvalid | None,
        notes: list[str],
        adjustments: Adjustments,
        frame: Frame,
        settings: Settings,
    ) -> None:
        self.path = path
        self.format = format_name
        self.adjustments = adjustments
        self.unknown: Counter[str] = Counter()
        self.attributes: dict[str, Counter[str]] = {}
        self._notes = notes
        self._frame = frame
        self.sources = label_sets
        self._labels = labels
        self._check_pictures = check_pictures
        self._on_invalid = on_invalid
        self._settings = settings
        self._reads_splits = True
        self._types_beside: TypesBeside | None = None

    def __iter__(self) -> Iterator[Sample]:
        splits = read_splits(splits_path(self.path), self._settings) if self._reads_splits else {}
        seen: dict[int, str] = {}  # photos by the hash of their path: paths themselves would take twice the memory
        if isinstance(self._on_invalid, _Faults):
            self._on_invalid.count = 0
        self.unknown.clear()
        self.attributes.clear()
        renamed: dict[frozenset[str], frozenset[str]] = {}
        for raw in self._raw():
            try:
                if raw.size_hw is not None:
                    check_mask_size(raw.size_hw, raw.where, self._settings)
                    _check_layers(raw, raw.size_hw)
                if self._check_pictures:
                    check_picture(raw, self._settings, self.on_turned)
                key = hash(str(raw.image) if isinstance(raw.image, Path) else raw.name)
                if key in seen:
                    raise DatasetError(
                        f"{raw.where}: {printable(raw.name)} was listed before, at {seen[key]}; give a photo one entry with all"
                        " its annotations",
                        kind="listed twice",
                    )
                seen[key] = raw.where
                if raw.labelled not in renamed:  # mostly the same for all photos of a file
                    renamed[raw.labelled] = self._labelled(raw.labelled)
                sample = _named(raw, self._labels, renamed[raw.labelled], self._note, self.adjustments.add, self.unknown)
                self._count_attributes(raw)
            except DatasetError as error:
                self.refuse(error)
                continue
            row = splits.get(photo_key(sample, self.path)) if splits else None
            yield sample if row is None else replace(sample, split=row[0] or sample.split, group=row[1] or sample.group)

    def refuse(self, error: DatasetError) -> None:
        """Raises what does not hold, or reports it where the user wants to go on, without the frames that it came through."""
        if self._on_invalid is None:
            raise error
        self._on_invalid(DatasetError(str(error), kind=error.kind))

    @property
    def on_turned(self) -> OnAdjust | None:
        """What `check_picture` is to tell; nothing where the user said what labels are for."""
        return None if self._frame == "stored" else self.adjustments.add

    @property
    def notes(self) -> list[str]:
        """What a user should know of how it is read; grows while it is iterated."""
        return [*self.adjustments.told(), *self._told_attributes(), *self._notes]

    def _told_attributes(self) -> Iterator[str]:
        """A note of the attributes that were not read, and of one that a map names and no annotation has."""
        if self.attributes:
            told = ", ".join(f"{printable(name)} ({values.total()}×)" for name, values in self.attributes.items())
            yield (
                f"attributes beside the labels that are not read: {told}; where one tells the type, name it in a label map as"
                " `attribute`"
            )
        wanted = self._labels.attribute
        if wanted is not None and self._types_beside is not None and not self._types_beside.found:
            yield told_missing(wanted)

    def _count_attributes(self, raw: Sample) -> None:
        for annotation in raw.annotations:
            for name, value in annotation.attributes:
                if name not in self.attributes and len(self.attributes) >= _MOST_ATTRIBUTES:
                    name = "others"
                values = self.attributes.setdefault(name, Counter())
                values[value if value in values or len(values) < _MOST_ATTRIBUTES else "others"] += 1

    def unmapped(self) -> str | None:
        """A note of the words that nobody explained, as the last reading met them; `None` where there are none."""
        if not self.unknown:
            return None
        return f"{told_unmapped(self.unknown, str(self.path))}; until then they are neither damage nor parts"

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)

    def _labelled(self, words: frozenset[str]) -> frozenset[str]:
        """What a source labels at all, in the words that the map gives."""
        if self._labels.labelled is not None:
            return self._labels.labelled
        names = names_of((word for word in words if not is_no_label(word)), self._labels)
        return frozenset(name for name in names if not _says_sound(name, self._labels) and name != VEHICLE)

    def check_not_read(self, output: Path) -> None:
        """Refuses a file to write that is one of those that labels are read from, or one of its pictures.

        Raises:
            OutputError: it is.
        """
        if output.is_file():
            labels = (one for label_set in self.sources for one in (label_set.path, *label_set.files))
            pictures = (sample.image for sample in self._raw()) if is_picture_name(output.name) else ()
            read = (self.path, *labels, *(one for one in pictures if isinstance(one, Path)))
            check_apart([output], map(on_disk, read))

    def without_splits(self) -> Dataset:
        """The same data set without what `splits.csv` says."""
        bare = copy.copy(self)
        bare._reads_splits = False
        return bare

    def words(self) -> Counter[str]:
        """How often each of the source's own words occurs, on annotations and on whole photos."""
        words: Counter[str] = Counter()
        for sample in self._raw():
            words.update(annotation.name for annotation in sample.annotations if not is_no_label(annotation.name))
            words.update(word for word in sample.labels if not is_no_label(word))
        return words

    def check_labels(self) -> None:
        """Makes sure that the label map says what becomes of each word.

        Raises:
            DatasetError: some are unmapped; the one message lists all of them with the nearest names.
        """
        check_words(self.words(), self._labels, str(self.path))

    def _raw(self) -> Iterator[Sample]:
        """Samples in the source's words; where the map names an attribute, its values take the place of labels."""
        attribute = self._labels.attribute
        attribute = None if FORMATS[self.format].reads_attribute else attribute
        if attribute is not None and self._types_beside is None:
            beside = TypesBeside(attribute)
            for sample in self._read(silent=True):
                beside.add(sample.annotations)
                if len(beside.values) > _MOST_NAMES:
                    told = f"more than {_MOST_NAMES:,} values of the attribute {printable(attribute)!r:.60} that names types"
                    raise DatasetError(f"{self.path}: {told}; is it the one that tells them?")
            self._types_beside = beside
        for sample in self._read():
            if self._frame == "stored":
                sample = turn_upright(sample, self._settings)
            if attribute is None and self._types_beside is None and not any(one.attributes for one in sample.annotations):
                yield sample
                continue
            annotations = tuple(typed for one in sample.annotations for typed in by_attributes(one, attribute))
            if len(annotations) > MOST_ANNOTATIONS:  # one may name several types
                self.refuse(_too_many(sample, len(annotations)))
                continue
            labelled = sample.labelled if self._types_beside is None else self._types_beside.labelled(sample.labelled)
            yield replace(sample, annotations=annotations, labelled=labelled)

    def _read(self, *, silent: bool = False) -> Iterator[Sample]:
        """Samples as their format's reader has them; nothing is told of what does not hold where it is a first look."""
        read = FORMATS[self.format].read
        self.adjustments.clear()
        if silent:
            for label_set in self.sources:
                with suppress(DatasetError):
                    document = label_set.document
                    if document is None and label_set.path.suffix.lower() == ".json" and not label_set.files:
                        document = read_json(label_set.path, self._settings)
                    for sample in read(replace(label_set.silent(), document=document)):
                        if len(sample.annotations) <= MOST_ANNOTATIONS:
                            yield sample
            return
        label_sets, self.sources = self.sources, tuple(replace(label_set, document=None) for label_set in self.sources)
        for label_set in label_sets:
            try:
                if label_set.document is None and label_set.path.suffix.lower() == ".json" and not label_set.files:
                    label_set = replace(label_set, document=read_json(label_set.path, self._settings))
                for sample in read(replace(label_set, unpacked={})):
                    if len(sample.labelled) > _MOST_NAMES:
                        told = f"{len(sample.labelled):,} names of types and parts, over the limit of {_MOST_NAMES:,}"
                        raise DatasetError(f"{sample.where}: {told}")
                    if len(sample.annotations) > MOST_ANNOTATIONS:
                        label_set.refuse(_too_many(sample, len(sample.annotations)))
                    elif isinstance(sample.image, Path) and is_file(sample.image) and label_set.leads_out(sample.image):
                        label_set.refuse(_outside(sample))
                    else:
                        yield sample
            except DatasetError as error:  # the rest of this label set cannot be read; the others may
                label_set.refuse(error)


def open_dataset(
    path: Path | str,
    *,
    input_format: str | None = None,
    images: Path | str | None = None,
    split: str | None = None,
    labels: LabelMap | None = None,
    frame: Frame = "upright",
    check_pictures: bool = True,
    on_invalid: OnInvalid | None = None,
    settings: Settings | None = None,
) -> Dataset:
    """Recognises a data set.

    Args:
        path: a label file, a folder that holds labels and pictures, or a zip of one, which is read where it lies.
        input_format: a key of `FORMATS`; without it the files tell.
        images: folder of the pictures; without it they are looked for where tools put them.
        split: what to call all of it; without it names of files and folders tell, and `splits.csv`.
        labels: what the source's words become; without it those that the taxonomy knows become its own, and others stay.
        frame: what labels are for where EXIF turns a picture; those of `stored` ones are turned with it.
        check_pictures: whether a photo whose picture is missing, or of another size than its labels say, is refused.
        on_invalid: is given what does not hold, which is then left out; without it the first raises.
        settings: the limits.

    Raises:
        DatasetError: there is no such file or folder, it cannot be read, or its format is not recognised. What single photos
            hold is told when their turn comes.
        MissingExtraError: the format needs a package that is not installed.
    """
    settings = settings or Settings()
    path = zipped(Path(path), settings)
    images = zipped(Path(images), settings) if images is not None else None
    if images is not None and not images.is_dir():
        raise DatasetError(f"{images}: no such folder of pictures")
    if input_format is not None and input_format not in FORMATS:
        raise DatasetError(f"{input_format!r} is no format; known are {', '.join(FORMATS)}")
    notes: list[str] = []
    adjustments = Adjustments()

    def note(text: str) -> None:
        if text not in notes:
            notes.append(text)

    def refuse(error: DatasetError) -> None:
        if on_invalid is None:
            raise error
        on_invalid(error)

    name, found = _recognise(path, input_format, settings, note, refuse)
    labels = labels or LabelMap()
    if on_invalid is not None:
        on_invalid = _Faults(path, on_invalid, [one for label_set in found for one in label_set.files or (label_set.path,)])
    label_sets = tuple(
        replace(
            label_set,
            images=images,
            alone=path.is_file(),
            split=split,
            frame=frame,
            attribute=labels.attribute,
            on_invalid=on_invalid,
            on_note=note,
            adjust=adjustments.add,
            settings=settings,
        )
        for label_set in found
    )
    return Dataset(
        path,
        name,
        label_sets,
        labels=labels,
        check_pictures=check_pictures,
        on_invalid=on_invalid,
        notes=notes,
        adjustments=adjustments,
        frame=frame,
        settings=settings,
    )


def _too_many(sample: Sample, annotations: int) -> DatasetError:
    told = f"{annotations:,} annotations, over the limit of {MOST_ANNOTATIONS:,} of one photo"
    return DatasetError(f"{sample.where}: {told}")


def _check_layers(sample: Sample, size_hw: tuple[int, int]) -> None:
    """Refuses annotations that cover their photo again and again: whoever draws them as masks would take hours for it.

    Raises:
        DatasetError: they do.
    """
    pixels = size_hw[0] * size_hw[1]
    covered = sum(annotation.box_area for annotation in sample.annotations)
    if covered > max(_LAYERS_FREE, _MOST_LAYERS * pixels):
        told = f"{len(sample.annotations):,} annotations whose boxes cover the photo {covered / pixels:,.0f} times"
        raise DatasetError(f"{sample.where}: {told}; no photo has so many upon each other")


def _outside(sample: Sample) -> DatasetError:
    return DatasetError(
        f"{sample.where}: {printable(sample.name)} is a link that leads out of the data set; put the picture itself there, or set"
        " DENTIFY_FOLLOW_LINKS=1",
        kind="outside the data set",
    )


def check_picture(sample: Sample, settings: Settings, adjust: OnAdjust | None = None) -> None:
    """Makes sure that a sample's picture is there and as large as its labels say.

    Args:
        sample: to be checked.
        settings: the limits.
        adjust: is told of labels that are taken for the photo upright where their size does not tell that, as EXIF mirrors or
            turns the picture and it stays as large.

    Raises:
        DatasetError: it is missing, cannot be read, or has another size.
    """
    missing = missing_picture(sample)
    if missing is not None:
        raise missing
    if isinstance(sample.image, bytes) or sample.size_hw is None:
        return
    try:
        (height, width), orientation = read_photo_frame(sample.image, where=str(sample.image), settings=settings)
    except ImageError as error:
        raise DatasetError(f"{sample.where}: {error}", kind="broken picture") from error
    if sample.size_hw != (height, width):
        told = f"{sample.size_hw[1]} × {sample.size_hw[0]}"
        as_stored = orientation >= 5 and sample.size_hw == (width, height)
        turned = " (upright, as its EXIF says)" if as_stored else ""
        advice = "were they made on another copy of the photo?"
        if as_stored:
            advice = "if they are for the picture as it is stored, `--frame stored` turns them"
        raise DatasetError(
            f"{sample.where}: {printable(sample.name)} is {width} × {height} pixels{turned}, its labels are for {told}; {advice}",
            kind="wrong size",
        )
    if adjust is not None and sample.annotations and orientation > 1 and (orientation < 5 or height == width):
        adjust(TURNED, str(sample.image))


def missing_picture(sample: Sample) -> DatasetError | None:
    """What to say of a sample whose picture is not there; `None` where it is."""
    if isinstance(sample.image, bytes) or is_file(sample.image):
        return None
    told = f"{sample.where}: no picture {sample.name!r:.200} in {printable(str(sample.image.parent))}"
    return DatasetError(told, kind="missing picture")


def decode_picture(sample: Sample, settings: Settings, *, enough_side: int | None = None) -> DecodedPhoto:
    """A sample's picture, decoded; see `decode_photo`.

    Raises:
        DatasetError: it cannot be read, is broken, or is over a limit.
    """
    try:
        return decode_photo(sample.read(settings), where=printable(sample.name), settings=settings, enough_side=enough_side)
    except ImageError as error:
        raise DatasetError(f"{sample.where}: {error}", kind="broken picture") from error


def photo_key(sample: Sample, root: Path) -> str:
    """What a photo is called in `splits.csv`: its picture's path below the data set's folder, else its name; always UTF-8."""
    if isinstance(sample.image, Path) and str(sample.image).startswith(within := f"{root}{os.sep}"):
        return clean_name(str(sample.image)[len(within) :].replace(os.sep, "/"))
    folder = root if root.is_dir() else root.parent
    if isinstance(sample.image, Path) and sample.image.is_relative_to(folder):
        return clean_name(sample.image.relative_to(folder).as_posix())
    return clean_name(sample.name)


def splits_path(root: Path) -> Path:
    """Where the splits of a data set are kept; of a zip, where they are read if they are there."""
    root = ZippedPath(root) if is_zipped(root) else root
    return (root if root.is_dir() else root.parent) / SPLITS


def read_splits(path: Path, settings: Settings | None = None) -> dict[str, tuple[str, str]]:
    """By photo (see `photo_key`): its split and group, as `dentify dataset split` wrote them; none where there is no such file.

    Raises:
        DatasetError: it cannot be read, or lacks a column.
    """
    if not is_file(path):
        return {}
    columns = csv_columns(path)
    if not {"file", "split"} <= set(columns):
        raise DatasetError(f"{path}: needs the columns file and split, has {', '.join(columns) or 'none'}")
    rows = (row for _, row in read_csv(path, settings or Settings()))
    return {row["file"].removeprefix("./"): (cell_text(row["split"]), cell_text(row.get("group", ""))) for row in rows}


def _named(
    raw: Sample, labels: LabelMap, labelled: frozenset[str], note: OnNote, adjust: OnAdjust, unknown: Counter[str]
) -> Sample:
    """A sample in the words that the map gives, and what follows from them for the photo as a whole.

    A word that nobody explained says nothing of vehicle and damage; it comes to `unknown`.

    Raises:
        DatasetError: what it says of the photo contradicts itself.
    """
    every, outlined = _meant(raw, labels, adjust, unknown)
    annotations = tuple(one for one in every if not _says_sound(one.name, labels))
    unknown.update(word for word in raw.labels if not labels.understands(word) and not is_no_label(word))
    given = [word for word in raw.labels if not is_no_label(word)]
    renamed = [name for word in given if (name := labels.rename_photo(word)) is not None]
    outlined |= any(map(is_vehicle_word, (*renamed, *given)))
    words = tuple(name for name in renamed if name != VEHICLE or labels.others != "refused")
    if len(annotations) < len(every):
        note('annotations such as "undamaged" outline no damage; where a photo has no other, it counts as undamaged')
        if not words and raw.damage is None and all(one.kind == "part" or is_vehicle_word(one.name) for one in annotations):
            words = ("undamaged",)
    levels = {level for word in words if (level := severity_word(word)) is not None}
    levels |= {level for word in given if (level := labels.severity_of(word)) is not None}
    severity = raw.severity or (levels.pop() if len(levels) == 1 else None)
    facts = [(raw.vehicle, raw.damage)]
    if severity is not None or raw.damage:
        facts.append((True, True))
    for word in words:
        known = photo_word(word)
        if known is not None:
            facts.append(PHOTO_WORDS[known])
        elif severity_word(word) is not None or canonical_name(word) in DAMAGE_NAMES:
            facts.append((True, True))
    if outlined:
        facts.append((True, None))
    if any(annotation.kind != "other" for annotation in annotations):
        damaged = any(annotation.kind == "damage" and not annotation.ignored for annotation in annotations)
        facts.append((True, True if damaged else None))
    vehicle, damage = (({fact[index] for fact in facts} - {None}) for index in (0, 1))
    if len(vehicle) > 1 or len(damage) > 1 or (False in vehicle and True in damage):
        told = " and ".join(_claims(raw, annotations, words))
        raise DatasetError(f"{raw.where}: {printable(raw.name)} contradicts itself: {printable(told)}", kind="contradiction")
    return replace(
        raw,
        annotations=annotations,
        labels=words,
        severity=severity,
        labelled=labelled,
        vehicle=next(iter(vehicle), None),
        damage=next(iter(damage), None),
    )


def _meant(raw: Sample, labels: LabelMap, adjust: OnAdjust, unknown: Counter[str]) -> tuple[list[Annotation], bool]:
    """A photo's annotations by the names that the map gives; and whether an outline of a whole vehicle is among its own."""
    meant: list[Annotation] = []
    vehicle = False
    for one in raw.annotations:
        name = labels.rename(one.name)
        if is_no_label(one.name):
            adjust("annotations that say that they are to be ignored, such as __ignore__, are left out", raw.where)
        elif name is not None and labels.others == "refused" and is_vehicle_word(name):
            vehicle = True
            adjust("outlines of whole vehicles say that a vehicle is there, and nothing of damage", raw.where)
        elif not labels.understands(one.name):
            vehicle |= is_vehicle_word(one.name)
            unknown[one.name] += 1
            meant.append(replace(_renamed(one, name or one.name), other=True))
        elif name is None:
            adjust("annotations are left out, as the label map says", raw.where)
        else:
            level = one.severity or labels.severity_of(one.name)
            meant.append(replace(_renamed(one, name), other=is_vehicle_word(name), severity=level))
            vehicle |= is_vehicle_word(name)
    return meant, vehicle


def _claims(raw: Sample, annotations: tuple[Annotation, ...], words: tuple[str, ...]) -> Iterator[str]:
    """What a sample says of vehicle and damage, for the message that it cannot all be true."""
    annotated = sorted({one.name for one in annotations if one.kind == "damage" and not one.ignored})
    if annotated:
        yield f"has annotated damage ({', '.join(annotated)})"
    elif any(one.kind == "part" or one.ignored or is_vehicle_word(one.name) for one in annotations):
        yield "has annotations of a vehicle"
    if raw.severity is not None:
        yield f"tells {raw.severity} damage"
    if raw.damage and not annotated:
        yield "says that it shows damage"
    if words:
        yield f"is labelled {' and '.join(words)}"
    if raw.vehicle is False:
        yield "says that it shows no vehicle"
    elif raw.damage is False:
        yield "says that it shows no damage"


def _says_sound(name: str, labels: LabelMap) -> bool:
    """Whether an annotation's name says that there is no damage; not where all words are kept as they are."""
    return labels.others != "kept" and photo_word(name) == "undamaged"


def _renamed(annotation: Annotation, name: str) -> Annotation:
    if name == annotation.name:
        return annotation
    return replace(annotation, name=name, original=annotation.original or annotation.name)


def _recognise(path: Path, wanted: str | None, settings: Settings, note: OnNote, refuse: OnInvalid) -> tuple[str, list[LabelSet]]:
    """The format of a file or folder, and what there is to read."""
    if path.is_file():
        name, label_set = _recognise_file(path, wanted, settings)
        return name, [label_set]
    if not path.is_dir():
        raise DatasetError(f"{path}: no such file or folder")
    files = [file for file in walk(path) if settings.follow_links or not leads_out(file, [path])]
    found: dict[str, list[LabelSet]] = {}
    faults: list[DatasetError] = []

    def keep(fault: DatasetError) -> None:
        faults.append(fault)
        refuse(fault)

    unknown: list[tuple[Path, str | None]] = []
    for name, label_set in _in_folder(path, files, wanted, settings, keep, unknown):
        found.setdefault(name, []).append(label_set)
    products = [told_unread(file, product) for file, product in unknown if product is not None]
    if list(found) == ["folders"] and wanted is None and (told := _may_be_labels(path, files, unknown)):
        raise DatasetError(told)
    if not found and faults:
        raise faults[0]
    if not found:
        raise DatasetError(_may_be_labels(path, files, unknown) or f"{path}: {_nothing_found(files, wanted)}")
    name = min(found, key=list(FORMATS).index)
    if name != "supervisely":  # whose `meta.json` is a project's
        for told in products[:3]:
            note(told)
    for other in found:
        if other not in (name, "folders"):  # those are a guess, where nothing else is there
            places = ", ".join(str(label_set.path) for label_set in found[other][:3])
            note(f"also found: {FORMATS[other].title} ({places}); name it, or --input-format {other}, to read it")
    return name, found[name]


def _recognise_file(path: Path, wanted: str | None, settings: Settings) -> tuple[str, LabelSet]:
    label_set = LabelSet(path, path.parent)
    suffix = path.suffix.lower()
    if suffix == ".json":
        document = read_json(path, settings)
        name = wanted or _format_of_json(document)
        label_set = replace(label_set, document=document)  # for the first reading, which then need not parse it again
        if name is None and (product := unread_product(path, document)) is not None:
            raise DatasetError(told_unread(path, product))
        if name is None:
            raise DatasetError(f"{path}: JSON of no annotation format that is known; --input-format takes {', '.join(FORMATS)}")
    else:
        name = wanted or _format_of_text(path, suffix, settings)
        if name is None and (product := unread_product(path, first_line(path) if suffix in LINES else None)) is not None:
            raise DatasetError(told_unread(path, product))
        if name is None:
            advice = f"give a folder, a zip, or a {_LABEL_SUFFIXES} file of labels"
            raise DatasetError(f"{path}: {_without_names(path) or f'no annotation format that is known; {advice}'}")
    return name, replace(label_set, files=(path,)) if FORMATS[name].one_a_picture else label_set


def _format_of_json(document: object) -> str | None:
    """The format of a JSON file."""
    return next((name for name, one in FORMATS.items() if one.is_json is not None and one.is_json(document)), None)


def _format_of_text(path: Path, suffix: str, settings: Settings) -> str | None:
    """The format of a file of labels that is no JSON."""
    match suffix:
        case ".xml":
            root = xml_root(path, settings)
            return next((name for name, one in FORMATS.items() if root in one.xml_roots), None)
        case ".csv" | ".tsv":
            rows = csv_head(path)
            return next((name for name, one in FORMATS.items() if one.is_csv is not None and one.is_csv(rows)), None)
        case _ if suffix in LINES:
            first = first_line(path)
            return next((name for name, one in FORMATS.items() if one.is_line is not None and one.is_line(first)), None)
        case ".yaml" | ".yml":
            return next((name for name, one in FORMATS.items() if one.is_yaml is not None and one.is_yaml(path, settings)), None)
    return None


def _in_folder(
    root: Path,
    files: list[Path],
    wanted: str | None,
    settings: Settings,
    refuse: OnInvalid,
    unknown: list[tuple[Path, str | None]],
) -> Iterator[tuple[str, LabelSet]]:
    """Everything below a folder that holds labels, by format; others that may do so come to `unknown`, with their product."""
    one_a_picture: dict[str, list[Path]] = {}
    unread: list[tuple[Path, DatasetError]] = []
    by_file: set[str] = set()
    single_json = sum(path.suffix.lower() == ".json" for path in files) == 1
    for path in files:
        suffix = path.suffix.lower()
        if suffix not in (".json", ".xml", ".csv", ".tsv", ".yaml", ".yml", *LINES) or path.name == SPLITS:
            if (product := unread_product(path, None)) is not None:
                unknown.append((path, product))
            continue
        known = next((name for name, paths in one_a_picture.items() if paths[0].suffix.lower() == suffix), None)
        if known is not None:  # a hundred thousand of them are not all opened
            one_a_picture[known].append(path)
            continue
        try:
            document = read_json(path, settings) if suffix == ".json" else None
            name = _format_of_json(document) if suffix == ".json" else _format_of_text(path, suffix, settings)
        except DatasetError as error:
            if suffix not in (".yaml", ".yml") or path.stem == "data":  # settings of other programs lie about
                unread.append((path, error))
            continue
        if name is None:
            unknown.append((path, unread_product(path, first_line(path) if suffix in LINES else document)))
        if name is None or wanted not in (None, name):
            continue
        if FORMATS[name].one_a_picture:
            one_a_picture.setdefault(name, []).append(path)
        else:
            by_file.add(name)
            yield name, LabelSet(path, root, document=document if single_json else None)
    for path, fault in reversed(unread):
        alike = next((paths for paths in one_a_picture.values() if paths[0].suffix.lower() == path.suffix.lower()), None)
        if alike is None:
            refuse(fault)
        else:  # told when its turn comes
            alike.insert(0, path)
    for name, paths in one_a_picture.items():
        yield name, LabelSet(root, root, files=tuple(paths))
    for name, one in FORMATS.items():
        if one.in_folder is not None and wanted in (None, name) and name not in by_file:
            for label_set in one.in_folder(root, files):
                yield name, label_set


def _may_be_labels(root: Path, files: list[Path], unknown: list[tuple[Path, str | None]]) -> str:
    """What to say of files of no format that is read that may hold the labels of a folder; empty where there is none."""
    for path, product in unknown:
        if product is not None:
            return told_unread(path, product)
    if (root / ".datumaro").exists():
        return f"{root}: this is a Datumaro project, which is not read; export it with `datum project export -f coco`"
    stems = {name for path in files if is_picture_name(path.name) for name in (path.name, path.stem)}
    beside = {path.parent for path in files if is_picture_name(path.name)}
    texts = [path for path in files if path.suffix.lower() == ".txt"]
    others = [*(path for path, _ in unknown), *texts]
    speaking = [path for path in others[:_MOST_LOOKED_AT] if speaks_of_pictures(path, stems, beside)]
    if not speaking:
        return ""
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return (
        f"{speaking[0]}{more}: may hold labels, and is of no annotation format that is known; export it as COCO,"
        " or read what else there is by --input-format (`folders`: pictures in folders by class)"
    )


def _nothing_found(files: list[Path], wanted: str | None) -> str:
    pictures = sum(is_picture_name(path.name) for path in files)
    held = f"holds {pictures} pictures and no labels" if pictures else "holds neither labels nor pictures"
    if wanted is not None:
        return f"holds nothing that is {FORMATS[wanted].title}"
    zips = [path.name for path in files if path.suffix.lower() == ".zip"]
    if zips and not pictures:
        return f"holds zips, {printable(zips[0])} for one; name it, as each is a data set of its own"
    for path in files:
        if path.name != SPLITS and (told := _without_names(path)):
            return f"{path.name} {told}"
    return f"{held} of a format that is known{told_others(files)}; --input-format takes {', '.join(FORMATS)}"


def _without_names(path: Path) -> str:
    """What a CSV lacks, which is of no format; empty where it is another file."""
    columns = csv_columns(path) if path.suffix.lower() in (".csv", ".tsv") else ()
    return needs_names(columns) if columns else ""


_LABEL_SUFFIXES = ".json, .xml, .csv, .yaml or .manifest"
