"""A data set is written under names that harm nothing, beside pictures that are copied or linked, whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from dentify.datasets import Sample, open_dataset
from dentify.datasets import output as output_module
from dentify.datasets.convert import WRITABLE, names_in, write_dataset
from dentify.errors import DatasetError, OutputError
from dentify.settings import Settings
from written_samples import HEIGHT, WIDTH, annotation, png, sample, written

# --- names of files ------------------------------------------------------------------------------------------------------

HOSTILE = (
    "../up.png", "/etc/passwd.png", "C:\\x\\c.png", "a:b;c.png", "a\nb\x1b[31m.png", "\udce9.png", "x\udce9/y.png",
    "é" * 3000 + ".png", "é" * 3000 + "ü.png", "d/" * 300 + "deep.png", ".hidden.png", "...", "", "no suffix", "a.txt",
    "nul\0.png", "A.png", "a.png", "sub/a.png", "sub\\a.png", "a .png", "\u202egnp.a.png", "a.b.png", "a.jpg",
)  # fmt: skip


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("to", WRITABLE)
def test_hostile_and_equal_names_stay_apart_within_the_folder(tmp_path: Path, to: str) -> None:
    samples = [sample(name, annotation(), number=number) for number, name in enumerate(HOSTILE)]
    samples += [sample("a.png", annotation(), number=100 + number, split="val") for number in range(3)]
    _, back = written(samples, to, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert {one.read() for one in back} == {one.read() for one in samples}
    assert all(len(one.annotations) == 1 for one in back)
    files = [path for path in everything_below(tmp_path) if (tmp_path / path).is_file()]
    assert len({path.casefold() for path in files}) == len(files)
    assert all(name.isprintable() and len(Path(name).name.encode()) < 255 for name in files)
    assert not [name for name in files if any(part.startswith(".") for part in Path(name).parts)]


SPLITS = (
    "../evil",
    "a/b",
    "annotations",
    "via_project",
    "names",
    "path",
    "images",
    "x\0\n",
    "..",
    "Train",
    "é" * 400,
)


@pytest.mark.parametrize("to", WRITABLE)
def test_hostile_splits_stay_apart_within_the_folder(tmp_path: Path, to: str) -> None:
    splits = (*SPLITS, str(tmp_path / "absolute"), None, "train")
    samples = [sample(f"{n}.png", annotation(), number=n, split=split) for n, split in enumerate(splits)]
    lost, back = written(samples, to, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    if to == "yolo":
        pictures = {path.read_bytes() for path in (tmp_path / "out").rglob("*.png")}
        assert pictures == {one.read() for one in samples}
        document = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
        assert "path" not in document  # which Ultralytics would take below the folder that it is run in
        assert (document["nc"], document["names"]) == (1, {0: "dent"})
    else:
        assert {one.read() for one in back} == {one.read() for one in samples}
        assert all(one.labelled == {"dent"} for one in back)
    if to in ("cvat", "label_studio"):  # which hold any split
        assert not [note for note in lost if "split" in note]
    else:
        assert max(count for note, count in lost.items() if "splits other than train, val and test" in note) == len(SPLITS) + 1


def test_many_photos_of_one_name_are_told_apart_in_no_time(tmp_path: Path) -> None:
    output = output_module.Output(tmp_path / "out", ("dent",), pictures="none", settings=Settings())
    names = {output.picture(sample("a.png")) for _ in range(5000)}
    assert len(names) == 5000
    assert {"a.png", "train-a.png", "a-2.png"} <= names


# --- pictures ------------------------------------------------------------------------------------------------------------


def test_pictures_are_copied_linked_or_left(tmp_path: Path) -> None:
    picture = tmp_path / "photos" / "a.png"
    picture.parent.mkdir()
    picture.write_bytes(png(5))
    one = sample("a.png", annotation(), image=picture)
    _, (copied,) = written([one], "coco", tmp_path / "copied")
    assert copied.read() == png(5)
    assert not copied.image.is_symlink()  # type: ignore[union-attr]
    _, (linked,) = written([one], "coco", tmp_path / "linked", pictures="link")
    assert linked.image.is_symlink()  # type: ignore[union-attr]
    assert linked.image.resolve() == picture.resolve()  # type: ignore[union-attr]
    assert not write_dataset([one], tmp_path / "left", "coco", names=("dent",), pictures="none")
    assert everything_below(tmp_path / "left") == {"train.json"}
    (back,) = open_dataset(tmp_path / "left", images=picture.parent)
    assert back.image == picture


def test_pictures_that_are_left_and_bear_other_names_are_told(tmp_path: Path) -> None:
    samples = [sample("x/a.png", annotation()), sample("y/a.png", annotation(), number=1)]
    lost = write_dataset(samples, tmp_path / "out", "coco", names=("dent",), pictures="none")
    assert lost == {"pictures that were left where they are have other names in the labels": 1}


@pytest.mark.parametrize("pictures", ["copy", "link"])
def test_a_picture_that_is_missing_ends_it(tmp_path: Path, pictures: Any) -> None:
    one = sample("a.png", annotation(), image=tmp_path / "none.png", where="x.json: images[0]")
    with pytest.raises(DatasetError, match=r"^x.json: images\[0\]: no picture 'a.png'$"):
        write_dataset([one], tmp_path / "out", "coco", names=("dent",), pictures=pictures)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "data", "becomes"),
    [
        ("photo", png(), "photo.png"),
        ("photo.txt", png(), "photo.txt.png"),
        ("scan.0001", b"\xff\xd8\xff\xe0", "scan.0001.jpg"),
        ("photo", b"no picture", "photo.jpg"),
        ("photo.JPG", png(), "photo.JPG"),
    ],
    ids=["none", "text", "number", "unknown", "capitals"],
)
def test_a_name_without_a_pictures_suffix_gets_one(tmp_path: Path, name: str, data: bytes, becomes: str) -> None:
    write_dataset([sample(name, annotation(), image=data)], tmp_path / "out", "coco", names=("dent",))
    assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == [becomes]


def test_sizes_that_labels_do_not_tell_are_read_from_pictures(tmp_path: Path) -> None:
    for to in WRITABLE:
        _, (back,) = written([sample("a.png", annotation(), size_hw=None)], to, tmp_path / to)
        assert back.size_hw == (HEIGHT, WIDTH)


def test_a_picture_whose_size_cannot_be_read_ends_it_or_is_left_out(tmp_path: Path) -> None:
    samples = [sample("a.png", annotation()), sample("b.png", image=b"no picture", size_hw=None, where="x.csv: line 3")]
    with pytest.raises(DatasetError, match=r"^x\.csv: line 3: not a picture: starts like text"):
        write_dataset(samples, tmp_path / "out", "via", names=("dent",))
    errors: list[DatasetError] = []
    write_dataset(samples, tmp_path / "out", "via", names=("dent",), on_invalid=errors.append)
    assert [error.kind for error in errors] == ["broken picture"]
    assert [one.name for one in open_dataset(tmp_path / "out")] == ["a.png"]


# --- all or nothing ------------------------------------------------------------------------------------------------------


def failing(error: BaseException) -> Iterator[Sample]:
    yield sample("a.png", annotation())
    yield sample("b.png", annotation(), number=1)
    raise error


FAULTS = [DatasetError("x.json: images[2]: broken"), KeyboardInterrupt(), MemoryError()]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("to", WRITABLE)
def test_an_error_on_the_way_leaves_nothing(tmp_path: Path, to: str, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_dataset(failing(error), tmp_path / "out", to, names=("dent",))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", WRITABLE)
def test_a_full_disk_leaves_nothing_and_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    pictures = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(pictures):
        path.write_bytes(png(number))
    copies = iter([shutil.copyfile, shutil.copyfile])

    def full(source: Path, target: Path) -> None:
        copy = next(copies, None)
        if copy is None:
            target.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        copy(source, target)

    monkeypatch.setattr(output_module.shutil, "copyfile", full)
    samples = [sample(path.name, annotation(), image=path) for path in pictures]
    with pytest.raises(OutputError, match=r"2\.png: cannot be written: No space left on device; make room, then run again$"):
        write_dataset(samples, tmp_path / "out", to, names=("dent",))
    assert {path.name for path in tmp_path.iterdir()} == {"0.png", "1.png", "2.png"}


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """An output of earlier."""
    out = tmp_path / "out"
    (out / "images").mkdir(parents=True)
    (out / "images" / "old.png").write_bytes(png(9))
    (out / "train.json").write_text("old")
    return out


def test_what_is_there_is_refused_and_with_overwrite_replaced_whole(earlier: Path) -> None:
    with pytest.raises(OutputError, match=r"out: is there already; --overwrite replaces all of it$"):
        write_dataset([sample("a.png", annotation())], earlier, "coco", names=("dent",))
    assert (earlier / "train.json").read_text() == "old"
    write_dataset([sample("a.png", annotation())], earlier, "coco", names=("dent",), overwrite=True)
    assert everything_below(earlier.parent) == {"out", "out/images", "out/images/a.png", "out/train.json"}


@pytest.mark.parametrize("below", [".", "images"])
def test_the_folder_one_is_in_is_never_replaced(earlier: Path, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    monkeypatch.chdir(earlier / below)
    with pytest.raises(OutputError, match="is, or holds, the folder you are in; name another one"):
        write_dataset([sample("a.png", annotation())], earlier, "coco", names=("dent",), overwrite=True)
    assert (earlier / "train.json").read_text() == "old"


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_what_was_there_stays_when_its_replacement_fails(earlier: Path, error: BaseException) -> None:
    before = everything_below(earlier.parent)
    with pytest.raises(type(error)):
        write_dataset(failing(error), earlier, "coco", names=("dent",), overwrite=True)
    assert everything_below(earlier.parent) == before
    assert (earlier / "train.json").read_text() == "old"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
def test_what_was_there_stays_when_the_last_step_fails(
    earlier: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before = everything_below(earlier.parent)
    rename = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if path.name.endswith(".part"):
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises((OutputError, KeyboardInterrupt)):
        write_dataset([sample("a.png", annotation())], earlier, "coco", names=("dent",), overwrite=True)
    assert everything_below(earlier.parent) == before


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".out.part" / "images").mkdir(parents=True)
    (tmp_path / ".out.part" / "images" / "half.png").write_bytes(b"half")
    write_dataset([sample("a.png", annotation())], tmp_path / "out", "coco", names=("dent",))
    assert everything_below(tmp_path) == {"out", "out/images", "out/images/a.png", "out/train.json"}


def test_a_folder_that_a_link_leads_to_is_replaced_and_the_link_stays(earlier: Path) -> None:
    link = earlier.parent / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(earlier)
    write_dataset([sample("a.png", annotation())], link, "coco", names=("dent",), overwrite=True)
    assert link.is_symlink()
    assert {path.name for path in earlier.iterdir()} == {"images", "train.json"}
    assert [path.name for path in link.parent.iterdir()] == ["link"]


@pytest.mark.parametrize("pictures", ["copy", "link", "none"])
def test_a_folder_that_holds_pictures_that_are_read_is_not_replaced(earlier: Path, pictures: Any) -> None:
    one = sample("old.png", annotation(), image=earlier / "images" / "old.png")
    with pytest.raises(OutputError, match=r"out: holds pictures that are read; name another folder$"):
        write_dataset([one], earlier, "coco", names=("dent",), overwrite=True, pictures=pictures)
    assert (earlier / "images" / "old.png").read_bytes() == png(9)


@pytest.mark.parametrize(
    ("out", "to", "message"),
    [
        (".", "coco", r"^\.: name the folder to make$"),
        ("..", "coco", r"^\.\.: name the folder to make$"),
        ("/", "coco", "^/: name the folder to make$"),
        ("file", "coco", "^file: is a file; name a folder for the data set$"),
        ("file/out", "coco", "^file/out: cannot be written: Not a directory$"),
        ("x" * 300, "coco", "cannot be written: File name too long$"),
        ("out", "voc", "^'voc' is no format that is written; known are coco, cvat, via, label_studio, yolo, masks$"),
    ],
)
def test_what_cannot_be_a_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, to: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    with pytest.raises(OutputError, match=message):
        write_dataset([sample()], out, to, names=("dent",), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("to", WRITABLE)
def test_an_empty_folder_is_no_hindrance_and_no_photo_is_a_data_set_too(tmp_path: Path, to: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert not write_dataset([], out, to, names=("dent",))
    assert list(out.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    if to not in ("label_studio", "masks"):  # of which nothing is left that could be recognised
        assert list(open_dataset(out)) == []


@pytest.mark.parametrize("to", WRITABLE)
def test_photos_are_taken_one_by_one(tmp_path: Path, to: str) -> None:
    def samples() -> Iterator[Sample]:
        for number in range(4):
            assert len(list(tmp_path.rglob("images/**/*.png"))) == number  # those before are on disk
            yield sample(f"{number}.png", annotation(), number=number)

    write_dataset(samples(), tmp_path / "out", to, names=("dent",))
    assert len(list((tmp_path / "out").rglob("images/**/*.png"))) == 4


# --- names of types ------------------------------------------------------------------------------------------------------


def test_names_come_in_the_taxonomys_order_and_the_rest_by_the_alphabet() -> None:
    samples = [
        sample("a.png", annotation("zebra"), annotation("hood")),
        replace(sample(), labelled=frozenset({"scratch", "ant"})),
    ]
    assert names_in([*samples, sample("b.png", annotation("dent"))]) == ("dent", "scratch", "hood", "ant", "zebra")
    assert names_in([]) == ()


# --- pictures that a tool cannot show ------------------------------------------------------------------------------------


def heic(size_wh: tuple[int, int] = (64, 48)) -> bytes:
    """A HEIC whose left half is red and whose right half is blue."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif, to make a HEIC")
    picture = Image.new("RGB", size_wh, "blue")
    picture.paste((255, 0, 0), (0, 0, size_wh[0] // 2, size_wh[1]))
    stream = io.BytesIO()
    pillow_heif.from_pillow(picture).save(stream, quality=90)
    return stream.getvalue()


@pytest.mark.parametrize("to", ["cvat", "label_studio", "via"])
@pytest.mark.parametrize("name", ["IMG_1.HEIC", "IMG_1.jpg"])  # phones' transfers give HEICs names of JPEGs
def test_a_heic_becomes_a_jpeg_where_the_tool_cannot_show_it(tmp_path: Path, to: str, name: str) -> None:
    one = Sample(heic(), name, (48, 64), (annotation("dent"),), frozenset({"dent"}))
    lost = write_dataset([one], tmp_path / "out", to, names=("dent",))
    assert lost["pictures that this format's tool cannot show (HEIC) became JPEGs"] == 1
    (picture,) = (tmp_path / "out" / "images").iterdir()
    assert picture.name == "IMG_1.jpg"
    with Image.open(picture) as shown:
        assert (shown.format, shown.size) == ("JPEG", (64, 48))
        left, right = shown.getpixel((8, 24)), shown.getpixel((56, 24))
    assert left[0] > 200 > 60 > left[2]
    assert right[2] > 200 > 60 > right[0]
    (back,) = open_dataset(tmp_path / "out")
    assert (back.name, len(back.annotations)) == ("IMG_1.jpg", 1)


@pytest.mark.parametrize("to", ["coco", "yolo"])
def test_a_heic_is_kept_as_it_is_where_no_tool_must_show_it(tmp_path: Path, to: str) -> None:
    one = Sample(heic(), "IMG_1.HEIC", (48, 64), (annotation("dent"),), frozenset({"dent"}))
    write_dataset([one], tmp_path / "out", to, names=("dent",))
    (picture,) = (tmp_path / "out" / "images").rglob("*.HEIC")
    assert picture.read_bytes() == one.image


def test_a_heic_that_is_left_where_it_is_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(heic())
    one = Sample(tmp_path / "a.heic", "a.heic", (48, 64), (annotation("dent"),), frozenset({"dent"}))
    lost = write_dataset([one], tmp_path / "out", "cvat", names=("dent",), pictures="none")
    assert lost["pictures that this format's tool cannot show (HEIC) were left where they are"] == 1


def test_what_browsers_show_is_copied_byte_for_byte(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "WebP", "GIF", "BMP"):
        stream = io.BytesIO()
        Image.new("RGB", (WIDTH, HEIGHT)).save(stream, kind)
        one = Sample(stream.getvalue(), f"a.{kind.lower()}", (HEIGHT, WIDTH), (annotation("dent"),), frozenset({"dent"}))
        for to in ("cvat", "label_studio", "via"):
            write_dataset([one], tmp_path / to, to, names=("dent",), overwrite=True)
            (picture,) = (tmp_path / to / "images").iterdir()
            assert picture.read_bytes() == one.image
