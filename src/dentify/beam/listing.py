"""What there is to prepare: photos and their labels in a folder or data set here, or below an address of an object store.

Only names and labels are read; the pictures are read where they are prepared. Every photo becomes one `Item`, plain enough to
stand in a line of JSON, and what cannot be used becomes an item that says why.
"""

from __future__ import annotations

import glob
import json
import os
import re
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from dentify.beam.annotations import Row, sample_to_rows
from dentify.beam.filesystems import is_remote, join, list_files, read_file, write_file
from dentify.datasets.dataset import open_dataset
from dentify.datasets.labels import LabelMap
from dentify.datasets.pictures import is_inside, walk
from dentify.datasets.sample import Sample
from dentify.datasets.splits import SPLITS
from dentify.datasets.turning import Frame
from dentify.datasets.zipped import is_zipped, zipped
from dentify.errors import DatasetError, InputError, printable
from dentify.imaging.files import told_bytes
from dentify.imaging.formats import is_picture_name
from dentify.names import clean_name
from dentify.settings import Settings

_LABEL_SUFFIXES = (".json", ".xml", ".csv", ".tsv", ".yaml", ".yml", ".jsonl", ".ndjson", ".manifest")
_WILDCARD = re.compile(r"[*?\[]")
_LONGEST_PART = 200  # bytes of a folder's or file's name, before its suffix
_NOTHING_KNOWN: Row = {
    "source": None,
    "group": None,
    "split": None,
    "labelled": [],
    "vehicle": None,
    "damage": None,
    "severity": None,
    "view": None,
    "labels": [],
}


@dataclass(frozen=True)
class Item:
    """One photo to prepare.

    Attributes:
        index: its place among all, sorted by name.
        name: its path within the input, posix; of a label that cannot be used, the input's.
        path: where its file is: a path or an address.
        key: what its picture is called, without suffix: folders and a name that are safe everywhere, different for each photo.
        size_hw: height and width of the upright photo as its labels say.
        facts: what its labels say of the photo as a whole.
        annotations: rows in pixels of the photo.
        error: what is wrong with its labels; then there is nothing to prepare.
    """

    index: int
    name: str
    path: str
    key: str = ""
    size_hw: tuple[int, int] | None = None
    facts: Row = field(default_factory=lambda: dict(_NOTHING_KNOWN))
    annotations: list[Row] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True)
class Listing:
    """All items, in the order of their names.

    Attributes:
        items: photos, and labels that cannot be used.
        labelled: whether the input is a data set, or pictures alone.
        notes: what a user should know of how it was read.
    """

    items: list[Item]
    labelled: bool
    notes: list[str]


@dataclass(frozen=True)
class Reading:
    """How an input is read.

    Attributes:
        embedded: where pictures are written that stand within label files or zips.
        settings: the limits.
        input_format: a key of `dentify.datasets.formats.FORMATS`; without it the files tell.
        images: folder of the pictures, where it is not where tools put it.
        labels: what the source's words become.
        frame: what the labels are for where EXIF turns pictures.
        pictures_only: leave labels alone.
    """

    embedded: str
    settings: Settings
    input_format: str | None = None
    images: str | None = None
    labels: LabelMap | None = None
    frame: Frame = "upright"
    pictures_only: bool = False


def list_input(source: str, reading: Reading) -> Listing:
    """Lists a folder, a glob or a data set here, or a prefix or glob of an object store, whose labels must be COCO.

    Raises:
        DatasetError: the labels cannot be read at all.
        InputError: there is no such folder, or it holds no photo.
    """
    listing = _list_remote(source, reading) if is_remote(source) else _list_local(source, reading)
    if not any(item.error is None for item in listing.items):
        reason = next((f": {item.error}" for item in listing.items), "")
        raise InputError(f"{printable(source)}: no photos to prepare{reason}")
    items = sorted(listing.items, key=lambda item: (item.name, item.path, item.error or ""))
    keys = _keys([(item.name, item.path) for item in items if item.error is None])
    numbered = [replace(item, index=index, key=keys.get((item.name, item.path), "")) for index, item in enumerate(items)]
    return replace(listing, items=numbered)


def item_to_json(item: Item) -> str:
    """An item on one line."""
    return json.dumps(asdict(item), ensure_ascii=True, separators=(",", ":"))


def item_from_dict(document: dict[str, Any]) -> Item:
    """The reverse of `item_to_json`, parsed."""
    size_hw = document["size_hw"]
    return Item(**{**document, "size_hw": None if size_hw is None else tuple(size_hw)})


def safe_key(name: str) -> str:
    r"""A photo's name as a path that file systems, object stores and WebDataset take alike; it never leads out of its folder.

    >>> safe_key("claims/07/IMG 1.2.JPG"), safe_key("../a\\b:c.png"), safe_key("..")
    ('claims/07/IMG_1_2', 'a/b_c', 'photo')
    """
    stem = name.rpartition(".")[0] if is_picture_name(name) else name
    parts = [_safe_part(part) for part in stem.replace("\\", "/").split("/") if part.strip(". ")]
    return "/".join(parts) or "photo"


def _safe_part(part: str) -> str:
    safe = re.sub(r"[^\w-]", "_", part)  # dots, too: WebDataset ends a key at the first
    data = safe.encode("utf-8", "replace")
    if len(data) <= _LONGEST_PART:
        return safe
    return data[: _LONGEST_PART - 9].decode("utf-8", "ignore") + "-" + _mark(part)


def _mark(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:8]


def _keys(photos: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """A key for each name and path; where several names come to the same, a hash of the name tells them apart."""
    plain = {photo: safe_key(photo[0]) for photo in photos}
    times = Counter(key.casefold() for key in plain.values())
    names = Counter(name for name, _ in photos)
    keys = {}
    for photo, key in plain.items():
        name, path = photo
        mark = _mark(name if names[name] == 1 else path)
        while times[key.casefold()] != 1:
            key = f"{key}-{mark}"
            times[key.casefold()] += 1
        keys[photo] = key
    return keys


# Here


def _list_local(source: str, reading: Reading) -> Listing:
    path = zipped(Path(source), reading.settings)
    wildcard = _WILDCARD.search(source)
    if wildcard is not None and not path.exists():
        return _pictures_of_glob(source, source[: wildcard.start()])
    if not path.exists():
        raise InputError(f"{printable(source)}: no such file or folder")
    if reading.pictures_only:
        return _pictures_of_folder(path, reading)
    try:
        return _list_dataset(path, reading)
    except DatasetError as error:
        if reading.input_format is not None or not path.is_dir():
            raise
        if any(one.suffix.lower() in _LABEL_SUFFIXES for one in walk(path)):
            raise DatasetError(f"{error}; --pictures-only takes the pictures without labels") from error
        return _pictures_of_folder(path, reading)


def _pictures_of_folder(folder: Path, reading: Reading) -> Listing:
    if not folder.is_dir():
        raise InputError(f"{printable(str(folder))}: is no folder of pictures")
    pictures = [one for one in walk(folder) if is_picture_name(one.name)]
    items = (_picture_item(one.relative_to(folder).as_posix(), _readable(one, str(one), reading.embedded)) for one in pictures)
    return Listing(list(items), False, [])


def _pictures_of_glob(pattern: str, fixed: str) -> Listing:
    root = os.path.dirname(fixed)  # noqa: PTH120 - the folder before the first wildcard, empty where there is none
    found = [Path(one) for one in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - recursive and absolute, both
    pictures = [one for one in found if is_picture_name(one.name) and one.is_file()]
    return Listing([_picture_item(one.relative_to(root).as_posix(), str(one)) for one in pictures], False, [])


def _picture_item(name: str, path: str) -> Item:
    return Item(0, clean_name(name), path)


def _list_dataset(path: Path, reading: Reading) -> Listing:
    """The photos of a data set that `open_dataset` reads."""
    wrong: list[DatasetError] = []
    dataset = open_dataset(
        path,
        input_format=reading.input_format,
        images=reading.images,
        labels=reading.labels,
        frame=reading.frame,
        check_pictures=False,  # they are where they are prepared
        on_invalid=wrong.append,
        settings=reading.settings,
    )
    if reading.labels is not None:
        dataset.check_labels()
    images = zipped(Path(reading.images), reading.settings) if reading.images is not None else None
    root = images if images is not None else path if path.is_dir() else path.parent
    labelled: set[str] = set()
    items: list[Item] = []
    for sample in dataset:
        items.append(_sample_item(sample, root, reading.embedded))
        labelled.add(str(sample.image) if isinstance(sample.image, Path) else "")
    items += [Item(0, path.name, str(path), error=str(error)) for error in wrong]
    notes = list(dataset.notes)
    if dataset.format != "masks" and path.is_dir():  # there pictures are labels, too
        unlabelled = {str(one) for one in walk(path) if is_picture_name(one.name)} - labelled
        if unlabelled:
            told = f"{len(unlabelled)} pictures have no labels and are left out"
            notes.append(f"{told}; --pictures-only takes all pictures, without labels")
    return Listing(items, True, notes)


def _sample_item(sample: Sample, root: Path, embedded: str) -> Item:
    facts, rows = sample_to_rows(sample)
    inside = isinstance(sample.image, Path) and sample.image.is_relative_to(root)
    name = sample.image.relative_to(root).as_posix() if isinstance(sample.image, Path) and inside else sample.name
    path = _readable(sample.image, f"{sample.where}\n{sample.name}", embedded)
    return Item(0, clean_name(name), path, size_hw=sample.size_hw, facts=_valid(facts), annotations=_valid(rows))


def _readable(picture: Path | bytes, called: str, embedded: str) -> str:
    """Where workers read a picture: its own path, or a copy where it stands within a label file or a zip.

    Raises:
        InputError: it cannot be read out of its zip.
    """
    if isinstance(picture, Path) and not is_zipped(picture):
        return str(picture)
    if isinstance(picture, Path) and not picture.is_file():
        return str(picture)  # which is told where it is prepared
    try:
        data = picture if isinstance(picture, bytes) else picture.read_bytes()
    except OSError as error:
        raise InputError(f"{printable(str(picture))}: cannot be read: {error.strerror or error}") from error
    path = join(embedded, sha256(called.encode("utf-8", "replace")).hexdigest())
    write_file(path, data or b"\0")  # Beam cannot write an empty file to S3, and neither is a picture
    return path


def _valid(value: Any) -> Any:
    """JSON whose texts are valid UTF-8, which labels need not be."""
    match value:
        case str():
            return clean_name(value)
        case list():
            return [_valid(one) for one in value]
        case dict():
            return {key: _valid(one) for key, one in value.items()}
    return value


# Object stores


def _list_remote(source: str, reading: Reading) -> Listing:
    if reading.input_format not in (None, "coco") or reading.images is not None:
        raise InputError(f"{printable(source)}: labels in an object store are read as COCO, with the pictures beside them")
    if reading.frame == "stored":
        raise InputError(
            f"{printable(source)}: labels of pictures as they are stored are turned here alone; copy the data set here"
        )
    source = source.rstrip("/")
    if source.lower().endswith(".zip"):
        raise InputError(f"{printable(source)}: a zip in an object store is not read; copy it here first, or unpack it there")
    wildcard = _WILDCARD.search(source)
    if wildcard is not None:
        root = source[: wildcard.start()].rpartition("/")[0]
    else:
        root = source.rpartition("/")[0] if source.lower().endswith(".json") else source
    sizes = {address.removeprefix(root + "/"): size for address, size in list_files(source if wildcard else root)}
    names = [name for name in sizes if not _is_hidden(name)]
    pictures = [name for name in names if is_picture_name(name)]
    given = [name for name in names if name.lower().endswith(_LABEL_SUFFIXES)]
    if reading.pictures_only or wildcard is not None or not given:
        return Listing([_picture_item(name, f"{root}/{name}") for name in pictures], False, [])
    documents = [name for name in given if name.lower().endswith(".json") and source in (root, f"{root}/{name}")]
    if not documents:
        raise InputError(
            f"{printable(source)}: holds labels ({printable(given[0])}) that are no COCO; copy the data set here first,"
            " or take the pictures without labels with --pictures-only"
        )
    with tempfile.TemporaryDirectory(prefix="dentify-") as folder:
        mirror = Path(folder)
        for name in [*documents, *(name for name in given if name == SPLITS)]:
            _mirror(mirror, name, _read_labels(f"{root}/{name}", sizes[name], reading.settings))
        for name in pictures:
            _mirror(mirror, name, b"")
        opened = mirror if source == root else mirror / documents[0]
        listing = _list_dataset(opened, replace(reading, input_format="coco"))
        return replace(
            listing,
            items=[_mirrored(item, mirror, root) for item in listing.items],
            notes=[note.replace(str(mirror), root) for note in listing.notes],
        )


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _read_labels(address: str, size: int, settings: Settings) -> bytes:
    if size > settings.max_annotation_bytes:
        limit = told_bytes(settings.max_annotation_bytes)
        raise DatasetError(f"{printable(address)}: over the limit of {limit}; split it, or raise DENTIFY_MAX_ANNOTATION_BYTES")
    return read_file(address)


def _mirror(folder: Path, name: str, data: bytes) -> None:
    """A file of the object store under the same name here; names that no folder takes are left out, and so are missing."""
    if not is_inside(name):
        return
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError:  # a name too long, or one that is a folder, too
        return


def _mirrored(item: Item, mirror: Path, root: str) -> Item:
    """An item with the address in place of the path here."""
    error = item.error.replace(str(mirror), root) if item.error is not None else None
    path = Path(item.path)
    inside = path.is_relative_to(mirror)
    return replace(item, path=f"{root}/{path.relative_to(mirror).as_posix()}" if inside else item.path, error=error)
