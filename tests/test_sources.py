"""Photos from files, folders, globs, zips and standard input, hostile ones among them."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.errors import ArchiveError, ImageError, InputError
from dentify.names import clean_name
from dentify.settings import Settings
from dentify.sources import SourcePhoto, count_known, is_among, iter_photos

JPEG = b"\xff\xd8\xff\xe0 a picture, as far as a source can tell"


def found(*inputs: str | Path, settings: Settings | None = None) -> dict[str, bytes | str]:
    """What each photo reads as: its bytes, or the line that says why not."""
    return {photo.name: read(photo) for photo in iter_photos(inputs, settings=settings)}


def read(photo: SourcePhoto) -> bytes | str:
    try:
        return photo.read()
    except InputError as error:
        return str(error)


def skipped(*inputs: str | Path, output: Path | None = None) -> list[str]:
    places: list[str] = []
    list(iter_photos(inputs, output=output, on_skip=places.append))
    return places


def put(folder: Path, *names: str, data: bytes = JPEG) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return path


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in messages are as short as what a user types."""
    monkeypatch.chdir(tmp_path)


# Files and folders


def test_a_file_that_is_named_is_always_tried() -> None:
    put(Path("claims"), "notes.txt", data=b"hello")
    assert found("claims/notes.txt") == {"notes.txt": b"hello"}


def test_a_folder_gives_its_photos_sorted_and_named_from_the_folder_on() -> None:
    put(Path("photos"), "b.jpg", "a/c.PNG", "a/b/deep.webp", "Z.jpg")
    assert list(found("photos")) == ["Z.jpg", "a/b/deep.webp", "a/c.PNG", "b.jpg"]
    assert list(found("photos/")) == list(found("photos"))
    assert list(found("./photos/a/..")) == list(found("photos"))


def test_files_that_are_no_pictures_are_skipped_and_told() -> None:
    put(Path("photos"), "a.jpg", "no_suffix")
    put(Path("photos"), "notes.txt", "Thumbs.db", "more/list.csv", data=b"text")
    assert list(found("photos")) == ["a.jpg", "no_suffix"]
    assert skipped("photos") == ["photos/Thumbs.db", "photos/more/list.csv", "photos/notes.txt"]


def test_text_with_a_pictures_suffix_is_for_the_decoder_to_refuse() -> None:
    put(Path("photos"), "a.jpg", data=b"text")
    assert found("photos") == {"a.jpg": b"text"}


def test_hidden_files_and_folders_are_skipped_unless_they_are_what_was_named() -> None:
    put(Path(".photos"), "a.jpg", ".b.jpg", "._a.jpg", ".git/c.jpg", "__MACOSX/d.jpg", ".DS_Store")
    assert list(found(".photos")) == ["a.jpg"]
    assert len(skipped(".photos")) == 5


def test_a_folder_without_photos_says_so() -> None:
    put(Path("empty"), "notes.txt", data=b"text")
    assert found("empty") == {"empty": "empty: no photos in this folder"}


def test_a_path_that_is_not_there_says_so_and_the_others_go_on() -> None:
    put(Path(), "a.jpg")
    assert found("nope.jpg", "a.jpg") == {"nope.jpg": "nope.jpg: no such file or folder", "a.jpg": JPEG}


def test_an_unreadable_file_says_why_and_the_others_go_on() -> None:
    """A link to itself cannot be read, even by root."""
    put(Path("photos"), "b.jpg")
    Path("photos/a.jpg").symlink_to("a.jpg")
    why = os.strerror(40) if sys.platform == "linux" else "Too many levels of symbolic links"
    assert found("photos") == {"a.jpg": f"photos/a.jpg: cannot be read: {why}", "b.jpg": JPEG}


@pytest.mark.usefixtures("no_root")
def test_missing_rights_are_told() -> None:
    put(Path("photos"), "a.jpg", "b/c.jpg", "d.jpg")
    Path("photos/a.jpg").chmod(0)
    Path("photos/b").chmod(0)
    try:
        assert found("photos") == {
            "a.jpg": "photos/a.jpg: cannot be read: Permission denied",
            "b": "photos/b: cannot be read: Permission denied",
            "d.jpg": JPEG,
        }
    finally:
        Path("photos/b").chmod(0o700)


def test_a_broken_link_to_a_photo_is_an_error_of_that_photo() -> None:
    put(Path("photos"), "b.jpg")
    Path("photos/a.jpg").symlink_to("gone.jpg")
    assert found("photos")["a.jpg"] == "photos/a.jpg: cannot be read: No such file or directory"


def test_links_to_files_are_followed_and_links_to_folders_are_not() -> None:
    put(Path("photos"), "a/b.jpg")
    Path("photos/loop").symlink_to(".", target_is_directory=True)
    Path("photos/a/up").symlink_to("..", target_is_directory=True)
    Path("photos/c.jpg").symlink_to("a/b.jpg")
    assert list(found("photos")) == ["a/b.jpg", "c.jpg"]
    assert list(found("photos/**/*.jpg")) == ["a/b.jpg", "c.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_in_a_folder_is_not_waited_for() -> None:
    put(Path("photos"), "a.jpg")
    os.mkfifo("photos/b.jpg")
    assert list(found("photos")) == ["a.jpg"]


def test_a_file_over_the_limit_is_not_read() -> None:
    put(Path(), "a.jpg", data=b"\xff" * 2049)
    limit = Settings(max_file_bytes=2048)
    message = "a.jpg: over the limit of 2 KiB a file; export it smaller, or raise DENTIFY_MAX_FILE_BYTES"
    assert found("a.jpg", settings=limit) == {"a.jpg": message}
    assert len(found("a.jpg", settings=Settings(max_file_bytes=2049))["a.jpg"]) == 2049


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a file without an end")
def test_a_file_without_an_end_is_not_read_to_its_end() -> None:
    assert "over the limit of 1 MiB" in str(found("/dev/zero", settings=Settings(max_file_bytes=2**20))["zero"])


@pytest.mark.parametrize("name", ["çizik 凹み ☂.jpg", "x" * 251 + ".jpg", "a\nb\x1b[2J.jpg", "=cmd.jpg", "[1]*?.jpg"])
def test_any_name_works_and_is_told_on_one_line(name: str) -> None:
    put(Path("photos"), name)
    (photo,) = iter_photos(["photos"])
    assert photo.name == name
    assert photo.read() == JPEG
    assert photo.where.isprintable()
    assert found(f"photos/{name}") == {name: JPEG}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf8_works() -> None:
    put(Path("photos"), os.fsdecode(b"caf\xe9.jpg"))
    assert found("photos") == {"caf%E9.jpg": JPEG}
    assert found(os.fsdecode(b"photos/caf\xe9.jpg")) == {"caf%E9.jpg": JPEG}
    assert [photo.where for photo in iter_photos(["photos"])] == ["photos/caf%E9.jpg"]


@given(st.text())
def test_a_clean_name_is_always_utf8(name: str) -> None:
    clean_name(name).encode()


def test_a_folder_deeper_than_recursion_goes() -> None:
    folder = Path("photos", *("d" * 400))
    folder.mkdir(parents=True)
    put(folder, "a.jpg")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 200)
    try:
        assert [name.count("/") for name in found("photos")] == [400]
    finally:
        sys.setrecursionlimit(limit)


def test_what_an_earlier_run_wrote_is_not_taken_for_a_photo() -> None:
    put(Path("photos"), "a.jpg", "out/a.photo.jpg", "out/b/c.photo.jpg")
    taken = [photo.name for photo in iter_photos(["photos"], output="photos/out")]
    assert taken == ["a.jpg"]
    assert skipped("photos", output=Path("photos/out")) == ["photos/out"]


def test_results_beside_the_photos_are_not_taken_for_photos() -> None:
    put(Path("photos"), "a.jpg", "a.photo.jpg")
    assert [photo.name for photo in iter_photos(["photos"], output="photos")] == ["a.jpg"]


@pytest.mark.parametrize("given", ["photos", "photos/*", "photos/a"])
def test_results_in_folders_beside_the_photos_are_not_taken_for_photos(given: str) -> None:
    put(Path("photos"), "a/b.jpg", "a/b.photo.jpg")
    assert [PurePath(photo.name).name for photo in iter_photos([given], output="photos")] == ["b.jpg"]


def test_a_glob_that_matches_the_results_leaves_them_out() -> None:
    put(Path("photos"), "a.jpg", "out/a.photo.jpg")
    assert [photo.name for photo in iter_photos(["photos/*"], output="photos/out")] == ["a.jpg"]


@pytest.mark.parametrize("pattern", ["photos/*", "photos/*.jpg", "photos/*/*.jpg", "photos/**/*.jpg", "p*/*.jpg", "p*"])
def test_globs_take_no_earlier_results_for_photos(pattern: str) -> None:
    put(Path("photos"), "a.jpg", "sub/b.jpg")
    before = list(found(pattern))
    put(Path("photos"), "a.photo.jpg", "sub/b.photo.jpg", "findings_crops/a.1.jpg", "index_files/large/a.jpg")
    put(Path("photos"), "findings.csv", data=b"file")
    assert list(found(pattern)) == before
    assert list(found("photos/index_files/large/*")) == ["a.jpg"], "who names a folder of results wants it"


def test_a_glob_does_not_lead_results_out_of_their_folder() -> None:
    put(Path("photos"), "a/1.jpg")
    put(Path("x"), "2.jpg")
    (photo,) = iter_photos(["photos/*/../../x/*.jpg"])
    assert photo.name == "2.jpg"
    assert "leads out of the folder before the first wildcard" in str(photo.error)


def test_photos_are_listed_lazily() -> None:
    """A folder that is gone by the time its turn comes is an error of that folder alone."""
    put(Path("photos"), "a/1.jpg", "b/2.jpg")
    photos = iter_photos(["photos"])
    assert next(photos).name == "a/1.jpg"
    Path("photos/b/2.jpg").unlink()
    Path("photos/b").rmdir()
    (gone,) = photos
    assert read(gone) == "photos/b: cannot be read: No such file or directory"


# Globs


def test_a_glob_that_the_shell_left_alone_is_expanded() -> None:
    put(Path("photos"), "a/x.jpg", "b/x.jpg", "b/y.png", "c.jpg")
    assert list(found("photos/*/x.jpg")) == ["a/x.jpg", "b/x.jpg"]
    assert list(found("photos/*.jpg")) == ["c.jpg"]
    assert list(found("photos/**/*.jpg")) == ["a/x.jpg", "b/x.jpg", "c.jpg"]
    assert list(found("photos/[ab]")) == ["a/x.jpg", "b/x.jpg", "b/y.png"]
    assert list(found("p*/b/?.png")) == ["photos/b/y.png"]


def test_a_glob_skips_what_is_no_picture_and_opens_zips() -> None:
    put(Path("photos"), "a.jpg")
    put(Path("photos"), "notes.txt", data=b"text")
    zipped(Path("photos/more.zip"), {"b.jpg": JPEG})
    assert list(found("photos/*")) == ["a.jpg", "b.jpg"]
    assert skipped("photos/*") == ["photos/notes.txt"]


def test_a_glob_that_matches_nothing_says_so() -> None:
    assert found("photos/*.jpg") == {"*.jpg": "photos/*.jpg: no photo matches"}


# Zips


def test_a_zip_gives_what_the_same_folder_would() -> None:
    entries = {"b.jpg": JPEG + b"b", "a/c.png": JPEG + b"c", "no_suffix": JPEG, "notes.txt": b"text", "dir/": b""}
    zipped(Path("photos.zip"), entries, zipfile.ZIP_DEFLATED)
    for name, data in entries.items():
        if not name.endswith("/"):
            put(Path("photos"), name, data=data)
    assert list(found("photos.zip").items()) == list(found("photos").items())
    assert skipped("photos.zip") == ["photos.zip: notes.txt"]


def test_a_zip_is_known_by_its_first_bytes_too() -> None:
    zipped(Path("upload"), {"a.jpg": JPEG})
    assert found("upload") == {"a.jpg": JPEG}


def test_photos_of_a_zip_can_be_read_late_and_more_than_once() -> None:
    zipped(Path("photos.zip"), {"a.jpg": JPEG, "b.jpg": JPEG})
    photos = list(iter_photos(["photos.zip"]))
    assert [photo.read() for photo in photos + photos] == [JPEG] * 4


def test_what_macs_add_to_zips_is_skipped() -> None:
    zipped(Path("a.zip"), {"a.jpg": JPEG, "__MACOSX/._a.jpg": JPEG, "__MACOSX/x.jpg": JPEG, "._b.jpg": JPEG, ".DS_Store": b"x"})
    assert list(found("a.zip")) == ["a.jpg"]
    assert len(skipped("a.zip")) == 4


def test_a_zip_without_photos_says_so() -> None:
    zipped(Path("a.zip"), {"notes.txt": b"text"})
    zipped(Path("b.zip"), {})
    assert found("a.zip", "b.zip") == {"a.zip": "a.zip: no photos in this zip", "b.zip": "b.zip: no photos in this zip"}


def test_a_hostile_zip_is_one_photo_that_fails_and_the_others_go_on() -> None:
    """What is hostile is tested in `test_archives.py`."""
    zipped(Path("a.zip"), {"good.jpg": JPEG, "../evil.jpg": JPEG})
    put(Path(), "b.jpg")
    message = "a.zip: refused: its entry ../evil.jpg points outside the archive"
    assert found("a.zip", "b.jpg") == {"a.zip": message, "b.jpg": JPEG}


def test_an_entry_that_is_not_read_says_so_and_the_others_go_on() -> None:
    zipped(Path("a.zip"), {"a.jpg": JPEG, "inner.zip": b"PK\x05\x06"})
    message = "a.zip: inner.zip: is a zip within a zip, which is not opened; unpack it first"
    assert found("a.zip") == {"a.jpg": JPEG, "inner.zip": message}


def test_a_damaged_entry_says_so_and_the_others_go_on() -> None:
    zipped(Path("a.zip"), {"a.jpg": JPEG, "b.jpg": JPEG + b"broken"})
    Path("a.zip").write_bytes(Path("a.zip").read_bytes().replace(b"broken", b"Broken"))
    message = "a.zip: b.jpg: is damaged in the zip; download or make the zip again"
    assert found("a.zip") == {"a.jpg": JPEG, "b.jpg": message}


def test_one_entry_over_the_limit_of_a_photo_is_not_unpacked() -> None:
    zipped(Path("a.zip"), {"a.jpg": JPEG, "b.jpg": os.urandom(3000)})
    message = "a.zip: b.jpg: over the limit of 2 KiB a file; export it smaller, or raise DENTIFY_MAX_FILE_BYTES"
    assert found("a.zip", settings=Settings(max_file_bytes=2048)) == {"a.jpg": JPEG, "b.jpg": message}


def test_the_second_of_two_entries_of_one_name_is_an_error() -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("a.jpg", JPEG)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jpg", JPEG + b"2")
    first, second = iter_photos(["a.zip"])
    assert read(first) == JPEG
    assert read(second) == "a.zip: a.jpg: is in the zip twice; only the first is assessed"


@given(at=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400))
def test_a_zip_with_any_byte_changed_or_cut_off_never_breaks_out(
    at: int, value: int, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.zip"
    zipped(path, {"a/b.jpg": JPEG * 3, "c.jpg": JPEG, "n.txt": b"text"}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    data[at % len(data)] = value
    path.write_bytes(data[: len(data) - cut % 20] if cut % 3 == 0 else data)
    for photo in iter_photos([path]):
        read(photo)
        assert not photo.name.startswith("/")
        assert ".." not in photo.name.split("/")


# Standard input


def test_a_minus_is_one_photo_on_standard_input() -> None:
    code = "from dentify.sources import iter_photos; print([(p.name, p.where, len(p.read())) for p in iter_photos(['-'])])"
    done = subprocess.run([sys.executable, "-c", code], input=JPEG, capture_output=True, check=True)
    assert done.stdout.decode().strip() == f"[('stdin', 'standard input', {len(JPEG)})]"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_named_pipe_is_read_as_a_photo() -> None:
    os.mkfifo("pipe")
    writer = subprocess.Popen([sys.executable, "-c", f"open('pipe', 'wb').write({JPEG!r})"])
    try:
        assert found("pipe") == {"pipe": JPEG}
    finally:
        writer.wait()


# How many


def test_the_number_of_photos_is_known_for_plain_files_alone() -> None:
    put(Path("photos"), "a.jpg", "b.jpg")
    zipped(Path("a.zip"), {"a.jpg": JPEG})
    assert count_known(["photos/a.jpg", "-"]) == 2
    assert count_known(["photos/a.jpg", "photos"]) is None
    assert count_known(["photos/*.jpg"]) is None
    assert count_known(["a.zip"]) is None


def test_errors_have_the_types_that_the_tree_names() -> None:
    zipped(Path("a.zip"), {"../a.jpg": JPEG})
    (photo,) = iter_photos("a.zip")
    with pytest.raises(ArchiveError):
        photo.read()
    Path("b.jpg").symlink_to("b.jpg")
    put(Path("photos"), "c.jpg")
    Path("photos/b.jpg").symlink_to("b.jpg")
    with pytest.raises(ImageError):
        next(iter_photos(["photos"])).read()


def test_zlib_is_what_deflate_means_here() -> None:
    """The bounded reading above relies on `zlib`'s own bound."""
    assert len(zlib.decompressobj().decompress(zlib.compress(bytes(10**6)), 1000)) == 1000


# What would block, and what must not be written to


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes as on Unix")
@pytest.mark.parametrize("pattern", ["p", "p/*", "p/**/*", "p/*.jpg", "?/*"])
def test_pipes_and_devices_in_a_folder_are_passed_over_however_it_is_named(pattern: str) -> None:
    put(Path("p"), "a.jpg")
    os.mkfifo("p/f.jpg")
    Path("p/z.jpg").symlink_to("/dev/zero")
    skipped: list[str] = []
    assert [photo.name.rpartition("/")[2] for photo in iter_photos([pattern], on_skip=skipped.append)] == ["a.jpg"]
    assert skipped == ["p/f.jpg", "p/z.jpg"]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["in/claim.zip"], True),
        (["in/../in/claim.zip"], True),
        (["in/*.zip"], True),
        (["**/*.zip"], True),
        (["*/claim.*"], True),
        (["link.zip"], True),
        (["other", "in/claim.zip"], True),
        (["-"], False),
        (["in"], False),
        (["other/*"], False),
        (["missing"], False),
    ],
    ids=str,
)
def test_a_file_is_among_the_inputs_by_any_name(inputs: list[str], expected: bool) -> None:
    put(Path("other"), "a.jpg")
    Path("in").mkdir()
    with zipfile.ZipFile("in/claim.zip", "w") as archive:
        archive.writestr("a.jpg", b"x")
    Path("link.zip").symlink_to("in/claim.zip")
    assert is_among("in/claim.zip", inputs) == expected


def test_a_photo_of_a_folder_is_among_the_inputs() -> None:
    put(Path("in/deep"), "a.jpg")
    assert is_among("in/deep/a.jpg", ["in"])
    assert not is_among("in/deep/a.jpg", ["other"])
