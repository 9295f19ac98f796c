"""Where the pictures of a data set lie: beside their labels, in `images/`, or where tools else put them."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from dentify.datasets.adjustments import OnAdjust
from dentify.datasets.zipped import ZippedPath
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name

ALIKE = "names of pictures that differ in case, Unicode form, % escapes or suffix are matched to the one file that fits"

_MOST_LISTED = 1000  # folders whose names are kept at a time
_SAME_KIND = (
    frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    frozenset({".tif", ".tiff"}),
    frozenset({".heic", ".heif", ".hif", ".jpg", ".jpeg"}),  # which photos of iPhones become on the way
)


class Pictures:
    """Finds pictures by the names that labels give them: in likely folders first, then anywhere below the root.

    A name may be a bare file name, a path, or a path of the machine on which it was labelled. Where no file has this very name,
    one whose name differs in case, Unicode form, `%` escapes or a suffix that is missing is meant, if it is the only one;
    `adjust` is told. Nothing outside the folders is ever found, whatever a name says; where a link leads, `leads_out` tells.

    Args:
        folders: where to look, likeliest first; the first is named when nothing is found.
        root: the folder below which to look at last.
        adjust: is told of names that are not those of their files.
    """

    def __init__(self, folders: Sequence[Path], root: Path, adjust: OnAdjust = lambda rule, where: None) -> None:
        given = list(dict.fromkeys(folders))
        self._folders = [given[0], *(folder for folder in given[1:] if folder.is_dir())]  # looked into for each of the names
        self._root = root
        self._adjust = adjust
        self._by_stem: dict[str, list[Path]] | None = None
        self._names: dict[Path, frozenset[str]] = {}

    def find(self, name: str, where: str = "", *, has_suffix: bool = True) -> Path:
        """The picture's path; where it would be when it is nowhere.

        Args:
            name: as the labels have it.
            where: what to begin messages with.
            has_suffix: whether names of these labels have their suffix; one that is missing then is worth a word.

        Raises:
            DatasetError: several pictures fit.
        """
        parts = picture_parts(name)
        if not parts:
            return self._folders[0] / "?"
        for number, folder in enumerate(self._folders):
            if not self._may_hold(folder, parts):
                continue
            path = folder.joinpath(*parts)
            if is_file(path) and (has_suffix or is_picture_name(path.name)):
                if number:  # the next is likely in the same
                    self._folders.insert(0, self._folders.pop(number))
                return path
        found = self._anywhere(parts, where, has_suffix=has_suffix)
        return found if found is not None else self._folders[0].joinpath(*parts)

    def _may_hold(self, folder: Path, parts: Sequence[str]) -> bool:
        """Whether a folder holds something of this name, by its list of names: thousands of questions cost more than one list."""
        folder = folder.joinpath(*parts[:-1]) if len(parts) > 1 else folder
        if folder not in self._names:
            if len(self._names) >= _MOST_LISTED:
                self._names.clear()
            self._names[folder] = _names_in(folder)
        return parts[-1] in self._names[folder]

    def find_stem(self, stem: str, where: str = "") -> Path | None:
        """The one picture below the root with this name but for its suffix.

        Raises:
            DatasetError: several pictures fit.
        """
        candidates = self._index().get(_key(stem), [])
        candidates = [path for path in candidates if path.stem == stem] or candidates
        return _agreeing(self._nearest(candidates), (stem,), stem, where)

    def of_stem(self, stem: str) -> list[Path]:
        """All pictures below the root with this name but for its suffix, its case and its Unicode form."""
        return list(self._index().get(_key(stem), []))

    def _index(self) -> dict[str, list[Path]]:
        """All pictures below the root, by stem; made when the first is not where it is likely."""
        if self._by_stem is None:
            self._by_stem = {}
            beside = (path for folder in self._folders if not folder.is_relative_to(self._root) for path in _files_of(folder))
            for path in (*walk(self._root), *beside):
                if is_picture_name(path.name):
                    self._by_stem.setdefault(_key(path.stem), []).append(path)
        return self._by_stem

    def _anywhere(self, parts: Sequence[str], where: str, *, has_suffix: bool) -> Path | None:
        """The one picture of this file name below the root, else the one of a name that is nearly so."""
        name = parts[-1]
        same = [one for one in self._index().get(_key(Path(name).stem), []) if one.name == name]
        found = _agreeing(self._nearest(same), parts, name, where)
        if found is not None:
            return found
        for spelling in dict.fromkeys((parts, tuple(_unescaped(part) for part in parts))):
            name = spelling[-1]
            candidates = self._index().get(_key(Path(name).stem), [])
            alike = [one for one in candidates if _key(one.name) == _key(name)] or [
                one for one in candidates if _same_kind(Path(name).suffix, one.suffix)
            ]
            if not alike and not is_picture_name(name):  # the suffix is left away
                alike = self._index().get(_key(name), [])
            found = _agreeing(self._nearest(alike), spelling, parts[-1], where)
            if found is not None:
                if has_suffix or _key(found.stem) != _key(name):
                    self._adjust(ALIKE, f"{where + ': ' if where else ''}{printable(parts[-1])} is {printable(str(found))}")
                return found
        return None

    def _nearest(self, candidates: Sequence[Path]) -> Sequence[Path]:
        """Those below the root, where there are some; folders beside it are for labels that lie in a folder of their own."""
        return [path for path in candidates if path.is_relative_to(self._root)] or candidates


def _names_in(folder: Path) -> frozenset[str]:
    """The names of what lies in a folder; none where it is not there."""
    try:
        if isinstance(folder, ZippedPath):
            return frozenset(path.name for path in folder.iterdir())
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except (OSError, ValueError):
        return frozenset()


def same_name(name: str, other: str) -> bool:
    """Whether two file names differ in case and Unicode form at most.

    >>> same_name("M\u00fcller.JPG", "Mu\u0308ller.jpg"), same_name("a.jpg", "b.jpg")
    (True, False)
    """
    return _key(name) == _key(other)


def _key(name: str) -> str:
    """A name without case and Unicode form: Macs decompose letters, Windows keeps no case apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _unescaped(name: str) -> str:
    """A name without `%20` and what an address has behind `?`."""
    head, mark, _ = name.partition("?")
    plain = unquote(head if mark and is_picture_name(head) else name).strip()
    return plain if plain and "/" not in plain and "\\" not in plain and "\0" not in plain and plain != ".." else name


def _same_kind(suffix: str, other: str) -> bool:
    return any(suffix.lower() in kind and other.lower() in kind for kind in _SAME_KIND)


def _agreeing(candidates: Sequence[Path], parts: Sequence[str], name: str, where: str) -> Path | None:
    """The one candidate; of several the one most of whose folders are those that the name tells.

    Raises:
        DatasetError: several agree alike.
    """
    told = [_key(part) for part in parts[:-1]]
    for agreed in range(len(told), -1, -1):
        folders = told[len(told) - agreed :]
        agreeing = [path for path in candidates if [_key(part) for part in path.parts[-1 - agreed : -1]] == folders]
        if len(agreeing) == 1:
            return agreeing[0]
        if agreeing:
            first, second = (printable(str(path)) for path in agreeing[:2])
            more = f" (and {len(agreeing) - 2} more)" if len(agreeing) > 2 else ""
            place = f"{where}: " if where else ""
            raise DatasetError(
                f"{place}{printable(name)} may be {first} or {second}{more}; give it a path, or a name of its own",
                kind="ambiguous picture",
            )
    return None


def picture_parts(name: str) -> tuple[str, ...]:
    r"""The folders and file name in a picture's name, without drives, roots and ways up.

    >>> picture_parts("C:\\photos\\..\\a b.jpg"), picture_parts("../images/a.jpg"), picture_parts("/x/y.png")
    (('photos', 'a b.jpg'), ('images', 'a.jpg'), ('x', 'y.png'))
    """
    if "\0" in name:
        return ()
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return tuple(part for part in parts if part not in ("/", "//", "..", ".") and not part.endswith(":"))


def is_inside(name: str) -> bool:
    """Whether a name leads to something within the folder that it is relative to.

    >>> is_inside("a/b.jpg"), is_inside("../b.jpg"), is_inside("/etc/passwd"), is_inside("C:b.jpg")
    (True, False, False, False)
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return (
        bool(parts) and "\0" not in name and ".." not in parts and not PurePosixPath(name).is_absolute() and ":" not in parts[0]
    )


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file system takes has none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def leads_out(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a file lies outside all of some folders once symbolic links are followed."""
    real = os.path.realpath(path)
    return not any(Path(real).is_relative_to(os.path.realpath(folder)) for folder in folders)


def walk(folder: Path) -> Iterator[Path]:
    """All files below a folder, in the order of their names; hidden ones and those of a Mac's archives are left out.

    Pipes and devices are no files, nor are links to them: they would block, or never end.

    Raises:
        DatasetError: the folder cannot be listed.
    """
    if isinstance(folder, ZippedPath):
        yield from _walk_zipped(folder)
        return

    def refuse(error: OSError) -> None:
        raise DatasetError(f"{error.filename}: cannot be listed: {error.strerror or error}") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(files):
            path = Path(parent, name)
            if not name.startswith(".") and not is_odd(path):
                yield path


def is_odd(path: Path) -> bool:
    """Whether there is something that is neither a file nor a folder: a pipe, a socket or a device."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False  # reading it will say why
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _walk_zipped(folder: ZippedPath) -> Iterator[Path]:
    """As `walk`, where the folder may lie in a zip."""
    try:
        below = sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed: {error.strerror or error}") from error
    yield from (path for path in below if path.is_file())
    for path in below:
        if path.is_dir() and path.name != "__MACOSX":
            yield from _walk_zipped(path)


def _files_of(folder: Path) -> list[Path]:
    """The files of a folder itself; none where it is not there, or cannot be listed."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError:
        return []


def inside(folder: Path, parts: Sequence[str]) -> Path | None:
    """The file or folder at a path below a folder, whatever the case and Unicode form of its names; `None` where none is.

    Raises:
        DatasetError: several are called so.
    """
    for part in parts:
        if not is_there(folder / part):
            alike = [path for path in folder.iterdir() if same_name(path.name, part)] if folder.is_dir() else []
            if len(alike) > 1:
                told = " or ".join(sorted(printable(str(path)) for path in alike)[:2])
                raise DatasetError(f"{printable(part)} may be {told}; rename one", kind="ambiguous picture")
            if not alike:
                return None
            part = alike[0].name
        folder = folder / part
    return folder


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; a name that no file system takes has none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def picture_folders(labels: Path) -> list[Path]:
    """Where the pictures of a label file are likely to be: where annotation tools and publishers put them."""
    beside = labels.parent
    stem = labels.stem.removeprefix("instances_")  # CarDD: annotations/instances_train2017.json, train2017/
    folders = [beside, beside / "images", beside / stem, beside.parent, beside.parent / stem, beside.parent / "images"]
    return [*folders, beside.parent / "images" / stem, beside.parent / "JPEGImages"]
