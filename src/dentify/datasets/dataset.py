"""`open_dataset`: any annotation format in, `Sample`s out.

    for sample in open_dataset("photos"):
        …

The format is recognised from the files. Nothing but label files is read to open a data set, and of a picture no more than its
header to iterate over it; each iteration reads anew, photo by photo.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dentify.datasets.adjustments import Adjustments, OnAdjust
from dentify.datasets.attributes import TypesBeside, by_attributes, told_missing
from dentify.datasets.documents import read_json
from dentify.datasets.faults import Faults
from dentify.datasets.formats import FORMATS
from dentify.datasets.label_set import MOST_ANNOTATIONS, LabelSet, OnInvalid
from dentify.datasets.labels import VEHICLE, LabelMap, check_words, is_no_label, names_of, told_unmapped
from dentify.datasets.meaning import named, says_sound
from dentify.datasets.outlines import check_mask_size
from dentify.datasets.pictures import is_file
from dentify.datasets.recognising import recognise
from dentify.datasets.sample import Sample
from dentify.datasets.sample_picture import check_picture
from dentify.datasets.splits import photo_key, read_splits, splits_path
from dentify.datasets.turning import Frame, turn_upright
from dentify.datasets.zipped import on_disk, zipped
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name
from dentify.settings import Settings
from dentify.writing import check_apart

_MOST_ATTRIBUTES = 100  # attributes, and values of one, that are counted apart; texts may be a million
_MOST_NAMES = 10_000  # of types and parts; what is known of each photo is told by them
_LAYERS_FREE, _MOST_LAYERS = 400_000_000, 20  # pixels within the boxes of a photo, or so often all of it: a second a layer


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
        if isinstance(self._on_invalid, Faults):
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
                sample = named(raw, self._labels, renamed[raw.labelled], self._note, self.adjustments.add, self.unknown)
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
        return frozenset(name for name in names if not says_sound(name, self._labels) and name != VEHICLE)

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
                    for sample in read(self._parsed(label_set.silent())):
                        if len(sample.annotations) <= MOST_ANNOTATIONS:
                            yield sample
            return
        label_sets, self.sources = self.sources, tuple(replace(label_set, document=None) for label_set in self.sources)
        for label_set in label_sets:
            try:
                for sample in read(replace(self._parsed(label_set), unpacked={})):
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

    def _parsed(self, label_set: LabelSet) -> LabelSet:
        """A set with its document, where that is one of JSON."""
        if label_set.document is None and label_set.path.suffix.lower() == ".json" and not label_set.files:
            return replace(label_set, document=read_json(label_set.path, self._settings))
        return label_set


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

    name, found = recognise(path, input_format, settings, note, refuse)
    labels = labels or LabelMap()
    if on_invalid is not None:
        on_invalid = Faults(path, on_invalid, [one for label_set in found for one in label_set.files or (label_set.path,)])
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
