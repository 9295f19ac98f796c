"""Write a bundle: all of it at once, or nothing."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from dentify.archives import open_archive
from dentify.bundle.card import model_card
from dentify.bundle.manifest import MANIFEST_NAME, BundleFile, Manifest, parse_manifest
from dentify.bundle.open import verified
from dentify.errors import ArchiveError, OutputError
from dentify.settings import Settings
from dentify.writing import check_apart, locked, writing

CARD_NAME = "MODEL_CARD.md"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same bundle makes the same zip


def write_bundle(
    path: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, bytes], *, overwrite: bool = False
) -> Path:
    """Write a bundle with its model card, verified first and put in place by a rename.

    Args:
        path: the folder to make, or a zip where the name ends in `.zip`.
        manifest: all but `files`, which is filled in from `files`.
        files: the bytes of each file by its name.
        overwrite: replace the bundle that is there; what is no bundle is never replaced.

    Returns:
        The path written.

    Raises:
        BundleError: the manifest and the files do not fit each other.
        OutputError: something is there already, or it cannot be written.
    """
    target = Path(path)
    listed = tuple(
        BundleFile(name=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)) for name, data in sorted(files.items())
    )
    text = manifest.model_copy(update={"files": listed}).to_json().encode()
    complete = parse_manifest(text, where=f"{target}/{MANIFEST_NAME}")  # all that opening checks is checked before writing
    verified(complete, files, where=str(target))
    contents = {MANIFEST_NAME: text, CARD_NAME: model_card(complete).encode(), **files}
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_name(target.name + ".part")), writing(target):
        check_target(target, overwrite=overwrite)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
            fresh = Path(scratch) / "new"
            _write_zip(fresh, contents) if target.suffix == ".zip" else _write_folder(fresh, contents)
            _put(fresh, target, Path(scratch) / "old")
    return target


def check_target(target: Path, *, overwrite: bool, read: Iterable[Path | str] = ()) -> None:
    """Makes sure that a bundle may be written to a path, before the work that makes it.

    Raises:
        OutputError: something is there that may not be replaced, or is read.
    """
    check_apart([target], read)
    if os.path.lexists(target):
        if not overwrite:
            raise OutputError(f"{target}: exists already; choose another name or ask for it to be overwritten")
        if not _is_bundle(target):
            raise OutputError(f"{target}: is no bundle, so it is not overwritten; choose another name")


def _is_bundle(path: Path) -> bool:
    """Whether a folder or zip has a bundle's manifest, whole or not."""
    if path.is_dir() and not path.is_symlink():
        return (path / MANIFEST_NAME).is_file()
    try:
        names = open_archive(path, Settings()).namelist()
    except ArchiveError:
        return False
    return any(name.rpartition("/")[2] == MANIFEST_NAME for name in names)


def _put(fresh: Path, target: Path, old: Path) -> None:
    """Rename `fresh` to `target`; a folder that was there moves to `old`, and back if the renaming fails."""
    if target.is_dir():
        target.rename(old)
    try:
        fresh.replace(target)
    except OSError:
        if os.path.lexists(old):
            old.rename(target)
        raise


def _write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, data in contents.items():
        (folder / name).write_bytes(data)


def _write_zip(path: Path, contents: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(contents.items()):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), data, zipfile.ZIP_DEFLATED)
