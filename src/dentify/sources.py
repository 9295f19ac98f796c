"""Photos from what a user names: files, folders, globs, zips and standard input.

    for photo in iter_photos(["photos", "claim-17.zip"]):
        data = photo.read()

`iter_photos` is lazy: it lists one folder at a time and reads no photo before `read()` is called. What cannot be used comes as a
photo whose `read()` raises the error that says why, so that one bad source never ends a run.

Which files count:

- A file that is named itself is always tried. In folders, globs and zips a file needs a picture's suffix or a picture's first
  bytes; others are skipped, as are hidden files and folders, `__MACOSX`, links to folders, and what an earlier run wrote.
- Names are posix paths relative to the folder or zip that was given, to the part of a glob before its first wildcard, or the
  file's own name where the file itself was given. Bytes that are not UTF-8 are told as `%E9`.

Archives are hostile until shown otherwise: see `dentify.archives`. An archive that is refused as a whole is one photo that fails;
an entry that is encrypted, damaged, a link, a zip itself or there twice is an error of that entry alone.
"""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePath
from zipfile import ZipFile, ZipInfo

from dentify.archives import ARCHIVE_STARTS, checked_entries, entry_problem, entry_start, open_archive, read_entry
from dentify.errors import ArchiveError, InputError, printable
from dentify.imaging.files import check_file_bytes, read_photo_file, read_photo_stream
from dentify.imaging.formats import START_BYTES, is_picture_name, is_picture_start
from dentify.names import clean_name
from dentify.results.files import CROPS, FINDINGS, PAGE_FILES
from dentify.settings import Settings

STANDARD_INPUT = "-"

_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class SourcePhoto:
    """One photo that is still to be read.

    Attributes:
        name: posix path, valid UTF-8, never absolute and without `..`; what outputs are named after.
        where: what errors print, one line without control characters.
        read: the file's bytes, at most `Settings.max_file_bytes`; may be called from any thread and more than once, except for
            standard input. Raises `InputError`.
        error: what `read` will raise, where that is known beforehand.
    """

    name: str
    where: str
    read: Callable[[], bytes] = field(repr=False)
    error: InputError | None = None


def iter_photos(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    settings: Settings | None = None,
    output: str | os.PathLike[str] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Iterator[SourcePhoto]:
    """All photos of the inputs, in the order of the inputs and sorted by name within each.

    Args:
        inputs: files, folders, glob patterns, zips, or `-` for one photo on standard input.
        settings: the limits; `Settings()` when left out.
        output: folder that results go to; what lies in it is not taken for a photo.
        on_skip: called with the place of each file that is passed over.

    Yields:
        Photos to read. A source that fails is a photo whose `read` raises.
    """
    given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    rules = _Rules(settings or Settings(), _identity(output), on_skip or (lambda where: None))
    for one in given:
        yield from _from_input(os.fspath(one), rules)


def is_among(file: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]) -> bool:
    """Whether a file is one of the inputs: by any name, matched by a glob, or a photo within a folder that is given."""
    identity = _identity(file)
    if identity is None:
        return False
    for given in inputs:
        one = os.fspath(given)
        if one == STANDARD_INPUT:
            continue
        matches = [one]
        if _WILDCARD.search(one) and not Path(one).exists():
            matches = glob.glob(one, recursive=True)  # noqa: PTH207 - recursive and absolute, both
        if any(_identity(match) == identity for match in matches):
            return True
        folders = [match for match in matches if Path(match).is_dir()]
        within = any(_identity(parent) == _identity(folder) for folder in folders for parent in Path(file).absolute().parents)
        if within and (is_picture_name(os.fspath(file)) or _starts_like_picture(os.fspath(file))):
            return True
    return False


def count_known(inputs: Iterable[str | os.PathLike[str]]) -> int | None:
    """How many photos the inputs are, when each is one file; `None` when only walking them would tell."""
    count = 0
    for one in inputs:
        path = os.fspath(one)
        if path != STANDARD_INPUT and (not Path(path).is_file() or _is_zip(path)):
            return None
        count += 1
    return count


@dataclass(frozen=True)
class _Rules:
    """What holds for one call of `iter_photos`."""

    settings: Settings
    output: tuple[int, int] | None
    skip: Callable[[str], None]


def _identity(path: str | os.PathLike[str] | None) -> tuple[int, int] | None:
    """What tells two folders apart, whatever they are called; `None` for one that is not there."""
    if path is None:
        return None
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def _failing(name: str, where: str, problem: str, kind: type[InputError] = InputError) -> SourcePhoto:
    error = kind(f"{where}: {problem}")

    def read() -> bytes:
        raise error

    return SourcePhoto(clean_name(name), where, read, error)


def _from_input(given: str, rules: _Rules) -> Iterator[SourcePhoto]:
    where = _told(given)
    if given == STANDARD_INPUT:
        yield SourcePhoto("stdin", "standard input", partial(_read_standard_input, rules.settings))
        return
    try:
        mode = Path(given).stat().st_mode
    except FileNotFoundError:
        if _WILDCARD.search(given):
            yield from _at_least_one(_from_glob(given, rules), given, "no photo matches")
        else:
            yield _failing(given, where, "no such file or folder")
        return
    except (OSError, ValueError) as error:
        yield _failing(given, where, f"cannot be read: {_reason(error)}")
        return
    if stat.S_ISDIR(mode):
        yield from _at_least_one(_from_folder(given, "", rules), given, "no photos in this folder")
    elif stat.S_ISREG(mode) and _is_zip(given):
        yield from _at_least_one(_from_zip(given, rules), given, "no photos in this zip")
    else:  # a pipe too, as in `dentify assess <(curl …)`
        yield _file(given, PurePath(given).name, rules)


def _told(name: str) -> str:
    return printable(clean_name(name))


def _at_least_one(photos: Iterable[SourcePhoto], given: str, problem: str) -> Iterator[SourcePhoto]:
    empty = True
    for photo in photos:
        empty = False
        yield photo
    if empty:
        yield _failing(PurePath(given).name or given, _told(given), problem)


# Files and folders


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _file(path: str, name: str, rules: _Rules) -> SourcePhoto:
    where = _told(path)
    return SourcePhoto(clean_name(name), where, partial(read_photo_file, path, where=where, settings=rules.settings))


def _read_standard_input(settings: Settings) -> bytes:
    if sys.stdin is None:
        raise InputError("standard input: is closed; name a file, or pipe one photo into it")
    return read_photo_stream(sys.stdin.buffer, where="standard input", settings=settings)


def _from_folder(root: str, prefix: str, rules: _Rules, *, within: bool = False) -> Iterator[SourcePhoto]:
    for path, relative, problem in _walk(root, rules, within=within):
        name = f"{prefix}/{relative}" if prefix else relative
        if problem:
            yield _failing(name, _told(path), problem)
        else:
            yield from _if_picture(path, name, rules)


def _walk(root: str, rules: _Rules, *, within: bool = False) -> Iterator[tuple[str, str, str]]:
    """`(path, path below the root, problem)` of every file below a folder, depth first, names sorted.

    Links to files are followed, links to folders are not: a loop of them has no end, and a folder has one real name.
    `within`: the folder lies within results.
    """
    within |= rules.output is not None and any(_identity(parent) == rules.output for parent in Path(root).absolute().parents)
    pending = [("folder", root, "", within)]
    while pending:
        kind, path, relative, in_output = pending.pop()
        if kind == "file":
            yield path, relative, ""
        elif kind == "other":
            rules.skip(_told(path))
        else:
            is_output = rules.output is not None and _identity(path) == rules.output
            if is_output and relative:
                rules.skip(_told(path))
                continue
            try:
                with os.scandir(path) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name, reverse=True)
            except OSError as error:
                yield path, relative or PurePath(path).name, f"cannot be read: {_reason(error)}"
                continue
            in_output |= is_output or any(entry.name == FINDINGS for entry in entries)  # of this run, or of an earlier one
            for entry in entries:
                ours = in_output and _is_result_name(entry.name)
                below = f"{relative}/{entry.name}" if relative else entry.name
                pending.append(("other" if ours else _kind(entry), entry.path, below, in_output))


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.name.startswith(".") or entry.name == "__MACOSX":
        return "other"
    try:
        if entry.is_dir():
            return "other" if entry.is_symlink() else "folder"
        if entry.is_file() or not Path(entry.path).exists():
            return "file"
    except OSError:
        return "file"  # reading it will say why
    return "other"  # a pipe, a socket or a device would block or never end


def _if_picture(path: str, name: str, rules: _Rules) -> Iterator[SourcePhoto]:
    if is_picture_name(name) or _starts_like_picture(path):
        yield _file(path, name, rules)
    else:
        rules.skip(_told(path))


def _first_bytes(path: str) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(START_BYTES)
    except OSError:
        return b""


def _starts_like_picture(path: str) -> bool:
    return is_picture_start(_first_bytes(path))


def _from_glob(pattern: str, rules: _Rules) -> Iterator[SourcePhoto]:
    """Photos that a pattern matches: sorted, named from the part before its first wildcard on. `**` is any number of folders."""
    parts = PurePath(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if _WILDCARD.search(part))
    base, wanted = PurePath(*parts[:fixed]), parts[fixed:]
    if "**" in wanted:
        for path, relative, problem in _walk(os.fspath(base), rules):
            if not problem and _matches(tuple(relative.split("/")), wanted):
                yield from _from_match(path, relative, rules)
        return
    for match in sorted(glob.glob(os.fspath(PurePath(pattern)))):  # noqa: PTH207 - keeps the spelling of the base
        relative = PurePath(match).relative_to(base).as_posix()
        if ".." in PurePath(relative).parts:
            problem = "leads out of the folder before the first wildcard; name it directly"
            yield _failing(PurePath(match).name, _told(match), problem)
        elif (rules.output is not None and _identity(match) == rules.output) or _is_result(base, relative, rules):
            rules.skip(_told(match))
        elif Path(match).is_dir():
            yield from _from_folder(match, relative, rules, within=_is_within_results(base, relative, rules))
        elif Path(match).exists() and not Path(match).is_file():
            rules.skip(_told(match))  # a pipe, a socket or a device would block or never end
        else:
            yield from _from_match(match, relative, rules)


def _is_within_results(base: PurePath, relative: str, rules: _Rules) -> bool:
    """Whether a folder above a match, up to the part of its pattern before the first wildcard, holds results."""
    folders = [Path(base, parent) for parent in PurePath(relative).parents]
    return any((rules.output is not None and _identity(one) == rules.output) or (one / FINDINGS).exists() for one in folders)


def _is_result(base: PurePath, relative: str, rules: _Rules) -> bool:
    """Whether a match is what this run or an earlier one wrote."""
    return any(map(_is_result_name, PurePath(relative).parts)) and _is_within_results(base, relative, rules)


def _is_result_name(name: str) -> bool:
    """Whether results have such files, or a folder that is called so and holds no photos to assess."""
    return name.endswith(".photo.jpg") or name in (PAGE_FILES, CROPS)


def _from_match(path: str, relative: str, rules: _Rules) -> Iterator[SourcePhoto]:
    if path.lower().endswith(".zip"):
        yield from _from_zip(path, rules)
    else:
        yield from _if_picture(path, relative, rules)


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether a path's parts match a pattern's.

    >>> _matches(("a", "b", "c.jpg"), ("**", "*.jpg")), _matches(("c.jpg",), ("**", "*.jpg")), _matches(("a", "b"), ("*",))
    (True, True, False)
    """
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[index:], pattern[1:]) for index in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


# Zips


def _is_zip(path: str) -> bool:
    return path.lower().endswith(".zip") or _first_bytes(path).startswith(ARCHIVE_STARTS)


def _from_zip(path: str, rules: _Rules) -> Iterator[SourcePhoto]:
    where = _told(path)
    try:
        archive = open_archive(path, rules.settings)
        entries = checked_entries(archive, rules.settings)
    except ArchiveError as error:
        yield _failing(PurePath(path).name, where, str(error), ArchiveError)
        return
    seen: set[str] = set()
    for name, info in entries:
        at = f"{where}: {_told(name)}"
        if any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
            rules.skip(at)
            continue
        problem = entry_problem(info) or ("is in the zip twice; only the first is assessed" if name in seen else "")
        seen.add(name)
        if problem:
            yield _failing(name, at, problem, ArchiveError)
        elif is_picture_name(name) or is_picture_start(entry_start(archive, info, START_BYTES)):
            yield SourcePhoto(clean_name(name), at, partial(_read_entry, archive, info, at, rules.settings))
        else:
            rules.skip(at)


def _read_entry(archive: ZipFile, info: ZipInfo, where: str, settings: Settings) -> bytes:
    check_file_bytes(info.file_size, where=where, settings=settings)
    return read_entry(archive, info, where=where)
