"""Zips, hostile ones among them."""

from __future__ import annotations

import io
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dentify.archives import checked_entries, entry_problem, entry_start, open_archive, read_entry
from dentify.errors import ArchiveError
from dentify.settings import Settings

DATA = b"\xff\xd8\xff\xe0 a picture, as far as an archive can tell"


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    """Writes `a.zip`."""
    with zipfile.ZipFile("a.zip", "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)


def found(**limits: int) -> dict[str, bytes | str]:
    """What each entry of `a.zip` reads as: its bytes, or the line that says why not."""
    settings = Settings.model_validate(limits)
    archive = open_archive("a.zip", settings)
    return {name: entry_problem(info) or read(archive, info, name) for name, info in checked_entries(archive, settings)}


def read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes | str:
    try:
        return read_entry(archive, info, where=name)
    except ArchiveError as error:
        return str(error)


def refused(**limits: int) -> str:
    with pytest.raises(ArchiveError) as caught:
        found(**limits)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_files_come_sorted_by_their_clean_names_without_folders() -> None:
    zipped({"b.jpg": b"b", "a//./c.png": b"c", "a\\d.png": b"d", "dir/": b"", "./.": b"x"}, zipfile.ZIP_DEFLATED)
    assert list(found().items()) == [("a/c.png", b"c"), ("a/d.png", b"d"), ("b.jpg", b"b")]


def test_a_name_may_be_there_twice() -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("a.jpg", DATA)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jpg", DATA)
    archive = open_archive("a.zip", Settings())
    assert [name for name, _ in checked_entries(archive, Settings())] == ["a.jpg", "a.jpg"]


def test_an_entry_gives_its_first_bytes_and_nothing_where_it_is_damaged() -> None:
    zipped({"a.jpg": DATA}, zipfile.ZIP_DEFLATED)
    archive = open_archive("a.zip", Settings())
    ((_, info),) = checked_entries(archive, Settings())
    assert entry_start(archive, info, 3) == DATA[:3]
    info.header_offset = 7
    assert entry_start(archive, info, 3) == b""


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and then nothing", b"\xff\xd8\xff"])
def test_what_is_no_zip_says_so(data: bytes) -> None:
    Path("a.zip").write_bytes(data)
    assert refused() == "not a whole zip archive; download or make it again"


def test_what_cannot_be_read_says_why() -> None:
    assert refused() == "cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../evil.jpg", "../evil.jpg"),
        ("a/../../evil.jpg", "a/../../evil.jpg"),
        ("/etc/evil.jpg", "/etc/evil.jpg"),
        ("C:/evil.jpg", "C:/evil.jpg"),
        ("c:evil.jpg", "c:evil.jpg"),
        ("..\\evil.jpg", "../evil.jpg"),
        ("\\\\host\\evil.jpg", "//host/evil.jpg"),
        ("/\x1b[2J", "/\\x1b[2J"),
    ],
)
def test_an_entry_that_points_outside_refuses_the_whole(name: str, told: str) -> None:
    zipped({"good.jpg": DATA, name: DATA})
    assert refused() == f"refused: its entry {told} points outside the archive"


def test_a_bomb_is_refused_by_its_ratio() -> None:
    zipped({"good.jpg": DATA, "bomb.bmp": bytes(8 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert refused() == "refused as a zip bomb: bomb.bmp unpacks to more than 100 times its size"


def test_a_small_black_picture_is_no_bomb() -> None:
    black = b"BM" + bytes(500_000)
    zipped({"black.bmp": black}, zipfile.ZIP_DEFLATED)
    assert found() == {"black.bmp": black}


def test_the_number_of_entries_has_a_limit() -> None:
    zipped({f"{number}.jpg": DATA for number in range(11)})
    message = "holds 11 entries, over the limit of 10; split it, or raise DENTIFY_MAX_ARCHIVE_FILES"
    assert refused(max_archive_files=10) == message


def test_an_endless_list_of_entries_is_refused_before_it_is_read() -> None:
    zipped({f"{number}{'x' * 200}.jpg": b"" for number in range(100)})
    message = "its list of entries is too long; split it, or raise DENTIFY_MAX_ARCHIVE_FILES"
    assert refused(max_archive_files=10) == message


def test_few_entries_may_be_large() -> None:
    large = bytes(range(256)) * 4 * 600
    zipped({"large.jpg": large})
    assert found(max_archive_files=1) == {"large.jpg": large}


def test_the_total_has_a_limit() -> None:
    zipped({f"{number}.jpg": bytes(1000) for number in range(3)})
    message = "unpacks to 2.9 KiB, over the limit of 2 KiB; split it, or raise DENTIFY_MAX_ARCHIVE_BYTES"
    assert refused(max_archive_bytes=2048) == message


def test_overlapping_entries_are_a_bomb() -> None:
    """Fifield's bomb: many names for the same bytes (D. Fifield, "A better zip bomb", WOOT 2019)."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.jpg", DATA)
        twin = zipfile.ZipInfo("b.jpg")
        original = archive.getinfo("a.jpg")
        for key in ("header_offset", "CRC", "compress_size", "file_size"):
            setattr(twin, key, getattr(original, key))
        archive.filelist.append(twin)
    Path("a.zip").write_bytes(data.getvalue())
    assert refused() == "refused as a zip bomb: its entries overlap"


def patched(change: Callable[[bytearray, int, int], None]) -> None:
    """Writes `a.zip`, a deflated entry `b.jpg` changed in its local header and in the list of entries."""
    zipped({"a.jpg": DATA, "b.jpg": DATA * 10}, zipfile.ZIP_DEFLATED)
    data = bytearray(Path("a.zip").read_bytes())
    local, listed = data.rindex(b"PK\x03\x04"), data.rindex(b"PK\x01\x02")
    change(data, local, listed)
    Path("a.zip").write_bytes(data)


def test_an_encrypted_entry_says_so() -> None:
    def encrypt(data: bytearray, local: int, listed: int) -> None:
        data[local + 6] |= 1
        data[listed + 8] |= 1

    patched(encrypt)
    assert found() == {"a.jpg": DATA, "b.jpg": "is encrypted; unpack it with its password first"}


def test_a_damaged_entry_says_so() -> None:
    def flip(data: bytearray, local: int, listed: int) -> None:
        data[local + 40] ^= 0xFF

    patched(flip)
    assert found() == {"a.jpg": DATA, "b.jpg": "b.jpg: is damaged in the zip; download or make the zip again"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs to know the most memory that was held")
def test_an_entry_that_lies_about_its_size_gives_no_more_than_it_said() -> None:
    """64 MiB of zeros behind a header that says 10 bytes: its checksum does not fit, and memory stays small."""
    zipped({"a.jpg": bytes(64 * 2**20)}, zipfile.ZIP_DEFLATED)
    data = bytearray(Path("a.zip").read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    Path("a.zip").write_bytes(data)
    code = """
import resource, sys
from dentify.archives import checked_entries, open_archive, read_entry
from dentify.settings import Settings
archive = open_archive("a.zip", Settings())
((name, info),) = checked_entries(archive, Settings())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_entry(archive, info, where=name)
except Exception as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "a.jpg: is damaged in the zip; download or make the zip again\nTrue\n"


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        (stat.S_IFLNK, "is a symbolic link, which is not followed; put the file itself into the zip"),
        (stat.S_IFIFO, "is not a regular file"),
    ],
    ids=["link", "pipe"],
)
def test_what_is_no_file_says_so(mode: int, problem: str) -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        entry = zipfile.ZipInfo("link.jpg")
        entry.create_system = 3
        entry.external_attr = (mode | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
        archive.writestr("a.jpg", DATA)
    assert found() == {"a.jpg": DATA, "link.jpg": problem}


def test_a_zip_in_a_zip_says_so() -> None:
    zipped({"a.jpg": DATA, "inner.zip": b"PK\x05\x06"})
    assert found() == {"a.jpg": DATA, "inner.zip": "is a zip within a zip, which is not opened; unpack it first"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_not_read(method: int) -> None:
    zipped({"a.jpg": DATA}, method)
    assert found() == {"a.jpg": "is compressed by a method other than deflate; unpack it first"}


def test_names_in_a_zip_of_a_mac_are_utf8_though_it_does_not_say_so() -> None:
    zipped({"xxxx.jpg": DATA})
    Path("a.zip").write_bytes(Path("a.zip").read_bytes().replace(b"xxxx", "çö".encode()))
    assert found() == {"çö.jpg": DATA}


def test_names_in_a_zip_in_another_encoding_work() -> None:
    zipped({"xx.jpg": DATA})
    Path("a.zip").write_bytes(Path("a.zip").read_bytes().replace(b"xx", "凹".encode("shift_jis")))
    (data,) = found().values()
    assert data == DATA
