"""Files changed at random: what reads them answers, or says in one line what is wrong, and in time.

`make fuzz` goes on for an hour, `make fuzz SECONDS=60` for a minute; in the suite each harness has a moment. An input that breaks
the promise is kept in `corpus/`, under the harness's name, and tried first from then on: mend what it shows, and commit it.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from dentify.archives import checked_entries, entry_problem, open_archive, read_entry
from dentify.bundle.manifest import parse_manifest
from dentify.bundle.onnx_bytes import inspect_onnx
from dentify.datasets import open_dataset
from dentify.errors import DentifyError, printable
from dentify.imaging.decode import decode_photo
from dentify.settings import Settings
from dentify.sources import iter_photos
from dentify.testing import paint_photo, tiny_bundle, tiny_onnx

CORPUS = Path(__file__).with_name("corpus")
WRITTEN = Path(__file__).parents[1] / "datasets" / "written_by_tools"
LIMITS = Settings(max_pixels=4_000_000)
SLOW = 10.0  # seconds that no input may take
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
SUFFIXES = (".json", ".xml", ".csv", ".yaml", ".txt")


def pictures() -> list[bytes]:
    found = []
    for kind in KINDS:
        file = io.BytesIO()
        Image.fromarray(paint_photo(size_hw=(48, 64))).save(file, kind)
        found.append(file.getvalue())
    return found


def label_files() -> list[bytes]:
    files = sorted(path for path in WRITTEN.rglob("*") if path.suffix in SUFFIXES and 0 < path.stat().st_size < 50_000)
    return [path.suffix.encode() + b"\0" + path.read_bytes() for path in files]


def zips() -> list[bytes]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.png", pictures()[1])
        archive.writestr("c.txt", "text")
    return [file.getvalue()]


def manifests(folder: Path) -> list[bytes]:
    return [(tiny_bundle(folder / "tiny") / "bundle.json").read_bytes()]


def read_picture(data: bytes, folder: Path) -> None:
    decode_photo(data, where="a", settings=LIMITS)


def read_labels(data: bytes, folder: Path) -> None:
    suffix, _, text = data.partition(b"\0")
    if suffix.decode("latin-1") in SUFFIXES:
        (folder / f"a{suffix.decode()}").write_bytes(text)
        for _ in open_dataset(folder, check_pictures=False, on_invalid=lambda error: None, settings=LIMITS):
            pass


def read_zip(data: bytes, folder: Path) -> None:
    (folder / "a.zip").write_bytes(data)
    archive = open_archive(folder / "a.zip", LIMITS)
    for name, entry in checked_entries(archive, LIMITS):
        if not entry_problem(entry) and entry.file_size < 2**20:
            read_entry(archive, entry, where=printable(name))
    for photo in iter_photos([folder / "a.zip"], settings=LIMITS):
        assert photo.where.isprintable()


def zips_of_labels() -> list[bytes]:
    sets = [folder for folder in sorted(WRITTEN.iterdir()) if folder.is_dir()][:20]
    found = []
    for folder in sets:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.stat().st_size < 50_000:
                    archive.write(path, path.relative_to(folder).as_posix())
        found.append(file.getvalue())
    return found


def read_zipped_labels(data: bytes, folder: Path) -> None:
    (folder / "a.zip").write_bytes(data)
    for sample in open_dataset(folder / "a.zip", check_pictures=False, on_invalid=lambda error: None, settings=LIMITS):
        assert printable(sample.name).isprintable()


def read_manifest(data: bytes, folder: Path) -> None:
    parse_manifest(data, where="a")


def read_network(data: bytes, folder: Path) -> None:
    inspect_onnx(data, where="a")


Harness = tuple[Callable[[bytes, Path], None], Callable[[Path], list[bytes]]]
HARNESSES: dict[str, Harness] = {
    "pictures": (read_picture, lambda folder: pictures()),
    "labels": (read_labels, lambda folder: label_files()),
    "zips": (read_zip, lambda folder: zips()),
    "zips of labels": (read_zipped_labels, lambda folder: zips_of_labels()),
    "manifests": (read_manifest, manifests),
    "networks": (read_network, lambda folder: [tiny_onnx(), tiny_onnx(photo_types=True)]),
}
SECONDS = float(os.environ.get("DENTIFY_FUZZ", "0")) / len(HARNESSES) or 0.5


def changed(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """One of the seeds after some changes: bytes, pieces left out, doubled, overwritten, or taken from another."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(data) + 1)
        size = min(chance.choice((1, 2, 4, 8, 64, 1024)), len(data) - at)
        match chance.randrange(7):
            case 0 if size:
                data[at] = chance.randrange(256)
            case 1:
                data[at : at + size] = chance.choice((b"\0", b"\xff", b"\x7f", b"9")) * size
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + size] * chance.choice((1, 2, 50))
            case 4:
                other = chance.choice(seeds)
                start = chance.randrange(len(other) + 1)
                data[at : at + size] = other[start : start + size]
            case 5:
                del data[at:]
            case _:
                data[at:at] = chance.choice(
                    (b"[", b"{", b'"', b"1e999", b"-", b"<a>", b"&a", b"*a", b"\r\n", "é".encode(), b"\x80")
                )
    return bytes(data)


def inputs(name: str, seeds: Sequence[bytes], chance: random.Random) -> Iterator[bytes]:
    """Those found before, then changed ones for as long as there is time."""
    for path in sorted((CORPUS / name).glob("*")):
        yield path.read_bytes()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        yield changed(seeds, chance)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HARNESSES)
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    read, seeds_in = HARNESSES[name]
    seeds = seeds_in(tmp_path)
    chance = random.Random(time.time_ns() if "DENTIFY_FUZZ" in os.environ else 0)
    for number, data in enumerate(inputs(name, seeds, chance)):
        folder = tmp_path / str(number % 50)
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        started = time.monotonic()
        try:
            read(data, folder)
        except DentifyError as error:
            fault = "" if str(error).isprintable() else f"an error of more than one plain line: {error!r}"
        except Exception as error:  # whatever it is, it breaks the promise
            fault = f"{type(error).__name__}: {error}"
        else:
            fault = ""
        if time.monotonic() - started > SLOW:
            fault = f"took {time.monotonic() - started:.0f} seconds"
        if fault:
            kept = CORPUS / name / hashlib.sha256(data).hexdigest()[:16]
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(data)
            pytest.fail(f"{fault}; the input is kept as {kept}")
