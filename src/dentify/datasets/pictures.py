"""Where the pictures of a data set lie: beside their labels, in `images/`, or where tools else put them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from dentify.errors import DatasetError
from dentify.imaging.formats import is_picture_name


class Pictures:
    """Finds pictures by the names that labels give them: in likely folders first, then anywhere below the root.

    A name may be a bare file name, a path, or a path of the machine on which it was labelled. Nothing outside the folders is
    ever found, whatever a name says; where a link leads, `leads_out` tells.

    Args:
        folders: where to look, likeliest first; the first is named when nothing is found.
        root: the folder below which to look at last.
    """

    def __init__(self, folders: Sequence[Path], root: Path) -> None:
        given = list(dict.fromkeys(folders))
        self._folders = [given[0], *(folder for folder in given[1:] if folder.is_dir())]  # looked into for each of the names
        self._root = root
        self._by_stem: dict[str, list[Path]] | None = None

    def find(self, name: str) -> Path:
        """The picture's path; where it would be when it is nowhere."""
        parts = picture_parts(name)
        if not parts:
            return self._folders[0] / "?"
        for number, folder in enumerate(self._folders):
            path = folder.joinpath(*parts)
            if is_file(path):
                if number:  # the next is likely in the same
                    self._folders.insert(0, self._folders.pop(number))
                return path
        found = self._anywhere(parts)
        return found if found is not None else self._folders[0].joinpath(*parts)

    def find_stem(self, stem: str) -> Path | None:
        """The one picture below the root with this name but for its suffix."""
        candidates = self._index().get(stem, [])
        return candidates[0] if len(candidates) == 1 else None

    def _index(self) -> dict[str, list[Path]]:
        """All pictures below the root, by stem; made when the first is not where it is likely."""
        if self._by_stem is None:
            self._by_stem = {}
            for path in walk(self._root):
                if is_picture_name(path.name):
                    self._by_stem.setdefault(path.stem, []).append(path)
        return self._by_stem

    def _anywhere(self, parts: Sequence[str]) -> Path | None:
        """The one picture of this file name below the root; of several the one whose folders agree."""
        candidates = [path for path in self._index().get(Path(parts[-1]).stem, []) if path.name == parts[-1]]
        for agreed in range(len(parts), 0, -1):
            agreeing = [path for path in candidates if path.parts[-agreed:] == tuple(parts[-agreed:])]
            if len(agreeing) == 1:
                return agreeing[0]
            if agreeing:
                return None
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


def picture_folders(labels: Path) -> list[Path]:
    """Where the pictures of a label file are likely to be: where annotation tools and publishers put them."""
    beside = labels.parent
    stem = labels.stem.removeprefix("instances_")  # CarDD: annotations/instances_train2017.json, train2017/
    folders = [beside, beside / "images", beside / stem, beside.parent, beside.parent / stem, beside.parent / "images"]
    return [*folders, beside.parent / "images" / stem, beside.parent / "JPEGImages"]
