"""`Bundle`: a folder or zip whose every byte was checked before anything is made of it.

Files are read once, and it is the bytes that were verified which ONNX Runtime gets, so nothing can change in between. Nothing
outside the bundle's folder is read, nothing is unpacked to disk, nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from dentify.archives import checked_entries, entry_problem, open_archive, read_entry
from dentify.assessment import BundleIdentity
from dentify.bundle.manifest import MANIFEST_NAME, Manifest, map_problem, parse_manifest, shapes_agree
from dentify.bundle.onnx_bytes import OnnxFacts, inspect_onnx
from dentify.errors import ArchiveError, BundleError, printable
from dentify.settings import Settings

DEFAULT = "default"
UNLISTED_ALLOWED = frozenset({"README", "README.md", "README.txt", "MODEL_CARD.md"})
_MAX_FILES = 1000
_MAX_MANIFEST_BYTES = 4 * 2**20

Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Bundle:
    """All that is needed to assess, without any code in it.

    Attributes:
        manifest: what `bundle.json` says.
        sha256: of the bytes of `bundle.json`, which holds the hashes of all other files.
        files: the listed files' verified bytes by name.
        where: the folder or zip, as messages call it.
    """

    manifest: Manifest
    sha256: str
    files: Mapping[str, bytes] = field(repr=False)
    where: str

    @property
    def identity(self) -> BundleIdentity:
        """What an `Assessment` says of the bundle."""
        return BundleIdentity(name=self.manifest.name, version=self.manifest.version, sha256=self.sha256)

    @property
    def size_bytes(self) -> int:
        """Of all its files, but for `bundle.json` itself."""
        return sum(file.bytes for file in self.manifest.files)

    @property
    def num_parameters(self) -> int:
        """The weights and biases of all its networks, however they are stored."""
        files = [network.file for network in self.manifest.networks]
        return sum(inspect_onnx(self.files[file], where=f"{self.where}/{file}").parameters for file in files)

    @classmethod
    def open(cls, path: str | os.PathLike[str] = DEFAULT, *, settings: Settings | None = None) -> Self:
        """Read and verify a bundle.

        Args:
            path: a folder, a zip, or `"default"` for the bundle that comes with Dentify (`"./default"` is a folder).
            settings: where the limit on a bundle's size stands.

        Raises:
            BundleError: it is missing, altered, hostile, contradictory or too new; one line that says what and where.
        """
        try:
            return cls._read(path, settings or Settings())
        except BundleError as error:  # names within may be anything, line breaks and terminal codes too
            raise BundleError(printable(str(error))) from error

    @classmethod
    def _read(cls, path: str | os.PathLike[str], settings: Settings) -> Self:
        location = Path(__file__).with_name(DEFAULT) if path == DEFAULT else Path(path)
        where = DEFAULT if path == DEFAULT else str(location)
        try:
            if location.is_dir():
                sizes, read = _folder(location, where)
            elif location.is_file():
                sizes, read = _zip(location, where, settings)
            elif path == DEFAULT:
                raise BundleError("this copy of Dentify came without its default bundle; name another one's folder")
            else:
                raise BundleError(f"{where}: no such bundle")
            manifest_bytes, files = _read_all(sizes, read, where, settings)
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            raise BundleError(f"{where}: cannot be read ({error})") from error
        manifest = parse_manifest(manifest_bytes, where=f"{where}/{MANIFEST_NAME}")
        return cls(manifest, hashlib.sha256(manifest_bytes).hexdigest(), verified(manifest, files, where=where), where)


def verified(manifest: Manifest, files: Mapping[str, bytes], *, where: str) -> dict[str, bytes]:
    """The listed files, after checking their hashes, that they stand alone, and that they hold what the manifest says they do.

    Args:
        manifest: what the bundle says of itself.
        files: the bytes of all files beside `bundle.json`, by name.
        where: what error messages call the bundle.

    Raises:
        BundleError: a file is missing, unlisted or altered, or a network has another shape than the manifest says.
    """
    listed = {file.name: file for file in manifest.files}
    for name in files:
        if name not in listed and name not in UNLISTED_ALLOWED:
            raise BundleError(
                f"{where}/{name}: not listed in {MANIFEST_NAME}; remove it or take the bundle from its source again"
            )
    for name, file in listed.items():
        if name not in files:
            raise BundleError(f"{where}/{name}: missing; take the bundle from its source again")
        if len(files[name]) != file.bytes:
            raise BundleError(
                f"{where}/{name}: {len(files[name]):,} bytes instead of {file.bytes:,}; take the bundle from its source again"
            )
        if hashlib.sha256(files[name]).hexdigest() != file.sha256:
            raise BundleError(
                f"{where}/{name}: altered (its SHA-256 is not the manifest's); take the bundle from its source again"
            )
    facts = {name: inspect_onnx(files[name], where=f"{where}/{name}") for name in listed if name.endswith(".onnx")}
    _check_networks(manifest, facts, where)
    return {name: files[name] for name in listed}


def _check_networks(manifest: Manifest, facts: Mapping[str, OnnxFacts], where: str) -> None:
    for network in manifest.networks:
        place = f"{where}/{network.file}"
        if network.file not in facts:
            raise BundleError(f"{place}: missing; the manifest's networks need it")
        inputs = facts[network.file].inputs
        if network.input not in inputs:
            raise BundleError(f"{place}: has no input {network.input!r}, only {', '.join(sorted(inputs))}")
        others = sorted(inputs.keys() - facts[network.file].given - {network.input})
        if others:
            beside = ", ".join(map(printable, others))
            raise BundleError(f"{place}: takes {beside} beside {network.input!r}; export it with that input alone")
        if network.input not in facts[network.file].float32:
            raise BundleError(f"{place}: input {network.input!r} is no tensor of 32-bit floats; export it so")
        expected = (1, 3, *network.preprocessing.size_hw)
        if not shapes_agree(inputs[network.input], expected):
            raise BundleError(
                f"{place}: input {network.input!r} takes {_told(inputs[network.input])}, the manifest says {_told(expected)}"
            )
    for role, members in manifest.roles:
        for member in members:
            place = f"{where}/{member.file}"
            outputs = facts[member.file].outputs
            for output in (member.output, *member.auxiliary.values()):
                if output not in outputs:
                    raise BundleError(f"{place}: has no output {output!r} for roles.{role}, only {', '.join(sorted(outputs))}")
                if output not in facts[member.file].floats:
                    raise BundleError(f"{place}: output {output!r} is no tensor of floating-point numbers; export it so")
            size_hw = manifest.network_of(member.file).preprocessing.size_hw
            shape = outputs[member.output]
            expected_shape = manifest.output_shape(role, member)
            if not shapes_agree(shape, expected_shape):
                raise BundleError(
                    f"{place}: output {member.output!r} is {_told(shape)}, the classes of {role} need {_told(expected_shape)}"
                )
            for output in (member.output, *member.auxiliary.values()):
                if problem := map_problem(outputs[output], size_hw):
                    raise BundleError(f"{place}: output {output!r} is {_told(outputs[output])}, {problem}")
            for key, output in member.auxiliary.items():
                if not shapes_agree(outputs[output], needed := manifest.auxiliary_shape(key)):
                    raise BundleError(f"{place}: output {output!r} is {_told(outputs[output])}, {key} must be {_told(needed)}")


def _told(shape: tuple[int | None, ...]) -> str:
    return " × ".join("any" if size is None else str(size) for size in shape) or "no fixed shape"


def _read_all(sizes: Mapping[str, int], read: Read, where: str, settings: Settings) -> tuple[bytes, dict[str, bytes]]:
    """The manifest's bytes and those of all other files, limits checked first."""
    if MANIFEST_NAME not in sizes:
        raise BundleError(f"{where}: not a bundle (no {MANIFEST_NAME} in it)")
    if sizes[MANIFEST_NAME] > _MAX_MANIFEST_BYTES:
        raise BundleError(f"{where}/{MANIFEST_NAME}: {sizes[MANIFEST_NAME]:,} bytes, over the limit of {_MAX_MANIFEST_BYTES:,}")
    check_total(sum(sizes.values()), where, settings)
    return read(MANIFEST_NAME), {name: read(name) for name in sizes if name != MANIFEST_NAME}


def check_total(total: int, where: str, settings: Settings) -> None:
    """Makes sure that a bundle of so many bytes would be opened.

    Raises:
        BundleError: it is over the limit.
    """
    if total > settings.max_bundle_bytes:
        limit = f"{settings.max_bundle_bytes:,}"
        raise BundleError(f"{where}: {total:,} bytes, over the limit of {limit}; raise DENTIFY_MAX_BUNDLE_BYTES")


def _folder(folder: Path, where: str) -> tuple[dict[str, int], Read]:
    """Sizes of the files in a folder and how to read one; plain files only, no links, no folders."""
    sizes: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(sizes) >= _MAX_FILES:
                raise BundleError(f"{where}: not a bundle (more than {_MAX_FILES:,} files in it)")
            if entry.is_symlink():
                raise BundleError(f"{where}/{entry.name}: is a symbolic link; a bundle holds plain files only")
            if not entry.is_file(follow_symlinks=False):
                raise BundleError(f"{where}/{entry.name}: is no plain file; a bundle holds plain files only")
            sizes[entry.name] = entry.stat(follow_symlinks=False).st_size

    def read(name: str) -> bytes:
        # The links were refused above; these flags also refuse one (or a pipe) that was put there since.
        descriptor = os.open(
            folder / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BundleError(f"{where}/{name}: is no plain file; a bundle holds plain files only")
            return file.read(sizes[name] + 1)  # one more shows a file that has grown since

    return sizes, read


def _zip(location: Path, where: str, settings: Settings) -> tuple[dict[str, int], Read]:
    """Sizes of the files in a zip and how to read one; at its root, or all in one folder as file managers pack them."""
    try:
        archive = open_archive(location, settings)
        entries = checked_entries(archive, settings)
    except ArchiveError as error:
        raise BundleError(f"{where}: not a bundle: {error}") from error
    if len(entries) > _MAX_FILES:
        raise BundleError(f"{where}: not a bundle (more than {_MAX_FILES:,} files in it)")
    top = next((name.rpartition("/")[0] for name, _ in entries if name.rpartition("/")[2] == MANIFEST_NAME), "")
    prefix = f"{top}/" if top and "/" not in top else ""
    found: dict[str, zipfile.ZipInfo] = {}
    for path, entry in entries:
        name = path.removeprefix(prefix)
        if not path.startswith(prefix) or "/" in name or name in found:
            raise BundleError(f"{where}/{path}: a bundle holds plain files in one folder only, each once")
        if problem := entry_problem(entry):
            raise BundleError(f"{where}/{name}: {problem}")
        found[name] = entry

    def read(name: str) -> bytes:
        try:
            return read_entry(archive, found[name], where=f"{where}/{name}")
        except ArchiveError as error:
            raise BundleError(str(error)) from error

    return {name: entry.file_size for name, entry in found.items()}, read
