"""Zips of exports are read where they lie, and hostile ones refused before anything is read."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_labels import check_samples_or_one_line
from dentify.datasets import Sample, open_dataset
from dentify.datasets.convert import names_in, write_dataset
from dentify.datasets.formats import FORMATS
from dentify.datasets.pictures import walk
from dentify.datasets.sample import Annotation
from dentify.datasets.zipped import ZippedPath, zipped
from dentify.errors import DatasetError, OutputError
from dentify.settings import Settings

SETTINGS = Settings()
COCO = (
    '{"images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}], "categories": [{"id": 1, "name": "dent"}],'
    ' "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}]}'
)


def pack(folder: Path, target: Path, below: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, below + path.relative_to(folder).as_posix())
    return target


def told(sample: Sample, root: Path) -> tuple[object, ...]:
    assert isinstance(sample.image, Path)
    boxes = [(one.name, one.box_xyxy, one.severity, one.has_mask) for one in sample.annotations]
    place = sample.image.relative_to(root).as_posix()
    return (sample.name, place, sample.size_hw, boxes, sample.labelled, sample.split, sample.labels, sample.read(SETTINGS))


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., Path]:
    """A zip of a COCO file and a picture, and what else is given."""

    def write(**more: bytes) -> Path:
        path = tmp_path / "export.zip"
        Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("labels.json", COCO)
            archive.write(tmp_path / "a.png", "images/a.png")
            for name, data in more.items():
                archive.writestr(name, data)
        return path

    return write


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if one.write is not None])
@pytest.mark.parametrize("below", ["", "export/", "deep/er/"], ids=["at the top", "in a folder", "deep"])
def test_a_zip_of_a_data_set_says_what_its_folder_says(tmp_path: Path, name: str, below: str) -> None:
    for picture in ("a.png", "b.png"):
        Image.fromarray(np.random.default_rng(len(picture)).integers(0, 255, (10, 20, 3), np.uint8)).save(tmp_path / picture)
    polygon = np.array([[2.0, 2.0], [8.0, 2.0], [8.0, 8.0]])
    samples = [
        Sample(
            tmp_path / "a.png",
            "a.png",
            (10, 20),
            (Annotation("dent", (2, 2, 8, 8), (polygon,)),),
            frozenset({"dent"}),
            split="train",
        ),
        Sample(tmp_path / "b.png", "b.png", (10, 20), (), frozenset({"dent"}), split="train"),
    ]
    folder = tmp_path / "out" / below if below else tmp_path / "out"
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_dataset(samples, folder, name, names=names_in(samples))
    path = pack(tmp_path / "out", tmp_path / "out.zip")
    before = sorted(tmp_path.rglob("*"))
    of_folder = [told(sample, tmp_path / "out") for sample in open_dataset(tmp_path / "out")]
    data = open_dataset(path)
    assert data.format == name
    assert [told(sample, ZippedPath(path)) for sample in data] == of_folder
    assert sorted(tmp_path.rglob("*")) == before  # nothing was unpacked


def test_a_label_file_in_a_zip_may_be_named(coco: Callable[..., Path]) -> None:
    (sample,) = open_dataset(coco() / "labels.json")
    assert [one.name for one in sample.annotations] == ["dent"]
    assert sample.where.startswith(str(coco() / "labels.json"))


def test_pictures_may_be_in_a_zip_of_their_own(tmp_path: Path, coco: Callable[..., Path]) -> None:
    path = coco()
    (tmp_path / "labels.json").write_text(COCO)
    (sample,) = open_dataset(tmp_path / "labels.json", images=path)
    assert sample.size_hw == (10, 20)
    assert isinstance(sample.image, ZippedPath)


def test_paths_below_a_zip_are_listed_and_opened_as_those_of_a_folder(coco: Callable[..., Path]) -> None:
    root = zipped(coco(**{"images/.hidden": b"", "__MACOSX/x.txt": b"", "empty/": b""}), SETTINGS)
    assert [path.relative_to(root).as_posix() for path in walk(root)] == ["labels.json", "images/a.png"]
    assert (root.is_dir(), root.is_file(), (root / "images").is_dir(), (root / "images" / "b.png").exists()) == (
        True,
        False,
        True,
        False,
    )
    assert [path.name for path in root.glob("*/*.png")] == ["a.png"]
    assert (root / "labels.json").stat().st_size == len(COCO)
    assert not (root / "labels.json").samefile(root / "images" / "a.png")
    with (root / "labels.json").open(encoding="utf-8") as stream:
        assert stream.read() == COCO
    with pytest.raises(FileNotFoundError):
        (root / "other.json").open("rb")
    with pytest.raises(IsADirectoryError):
        (root / "images").open("rb")
    with pytest.raises(OSError, match="nothing is written into a zip"):
        (root / "labels.json").open("w")


def test_a_path_below_a_zip_survives_being_sent_to_another_process(coco: Callable[..., Path]) -> None:
    path = zipped(coco(), SETTINGS) / "labels.json"
    assert pickle.loads(pickle.dumps(path)).read_bytes() == COCO.encode()


def test_a_zip_that_was_made_anew_is_read_anew(tmp_path: Path, coco: Callable[..., Path]) -> None:
    path = coco()
    assert [one.name for sample in open_dataset(path) for one in sample.annotations] == ["dent"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.json", COCO.replace("dent", "scratch"))
        archive.write(tmp_path / "a.png", "images/a.png")
    assert [one.name for sample in open_dataset(path) for one in sample.annotations] == ["scratch"]


def test_hostile_zips_are_refused_in_a_line_that_names_them(tmp_path: Path, coco: Callable[..., Path]) -> None:
    cases: list[tuple[Path, Settings, str]] = []
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.json", b" " * 2**24)
    cases.append((bomb, SETTINGS, "refused as a zip bomb"))
    outside = tmp_path / "outside.zip"
    with zipfile.ZipFile(outside, "w") as archive:
        archive.writestr("../labels.json", COCO)
    cases.append((outside, SETTINGS, "points outside the archive"))
    twice = tmp_path / "twice.zip"
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("labels.json", COCO)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("labels.json", "{}")
    cases.append((twice, SETTINGS, "holds labels.json twice"))
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and so on")
    cases.append((broken, SETTINGS, "not a whole zip archive"))
    cases.append((coco(), Settings(max_archive_files=1), "holds 2 entries, over the limit of 1"))
    cases.append((coco(), Settings(max_archive_bytes=100), "over the limit of"))
    for path, settings, message in cases:
        with pytest.raises(DatasetError, match=rf"{path.name}: .*{message}"):
            open_dataset(path, settings=settings)


def test_an_entry_that_cannot_be_read_is_one_line(tmp_path: Path, coco: Callable[..., Path]) -> None:
    path = coco()
    data = bytearray(path.read_bytes())
    start = data.index(b"labels.json") + len(b"labels.json")
    data[start : start + 20] = b"\xff" * 20
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"labels.json: cannot be read: is damaged in the zip"):
        list(open_dataset(path))


def test_pictures_over_the_limit_are_refused_before_they_are_read(coco: Callable[..., Path]) -> None:
    (sample,) = open_dataset(coco())
    with pytest.raises(DatasetError, match="over the limit"):
        sample.read(Settings(max_file_bytes=10))


def test_no_link_leads_into_a_zip(tmp_path: Path, coco: Callable[..., Path]) -> None:
    samples = list(open_dataset(coco()))
    with pytest.raises(OutputError, match=r"images/a.png: lies in a zip, to which no link can lead; copy the pictures"):
        write_dataset(samples, tmp_path / "out", "coco", names=("dent",), pictures="link")
    write_dataset(samples, tmp_path / "out", "coco", names=("dent",))
    assert (tmp_path / "out" / "images" / "a.png").read_bytes() == samples[0].read(SETTINGS)


def test_a_folder_of_zips_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("labels.json", COCO)
    with pytest.raises(DatasetError, match=r"holds zips, a\.zip for one; name it"):
        open_dataset(tmp_path)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8), st.integers(0, 400))
def test_any_damage_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "damaged.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.json", COCO)
        archive.writestr("images/a.png", b"no picture")
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data[: len(data) - cut // 2] if cut < 200 else data)
    check_samples_or_one_line(path, check_pictures=False)


@pytest.mark.parametrize("name", ["a/" * 60 + "b.json", "a" * 5_000], ids=["deep", "long"])
def test_names_out_of_proportion_are_refused(coco: Callable[..., Path], name: str) -> None:
    """Each folder of each is kept by its whole name: eighty names of 32,000 folders would take gigabytes."""
    path = coco(**{name: b"{}"})
    with pytest.raises(DatasetError, match=r"export\.zip: holds names of more than 50 folders or 4096 characters, as a"):
        open_dataset(path)


def test_a_link_to_a_zip_is_read_and_links_in_it_are_not(coco: Callable[..., Path], tmp_path: Path) -> None:
    path = coco()
    (tmp_path / "link.zip").symlink_to(path)
    (one,) = open_dataset(tmp_path / "link.zip")
    assert one.read(SETTINGS) == (tmp_path / "a.png").read_bytes()
    info = zipfile.ZipInfo("images/a.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "hostile.zip", "w") as archive:
        archive.writestr("labels.json", COCO)
        archive.writestr(info, str(tmp_path / "a.png"))
    with pytest.raises(DatasetError, match="is a symbolic link, which is not followed"):
        [sample.read(SETTINGS) for sample in open_dataset(tmp_path / "hostile.zip")]


@pytest.mark.parametrize("name", ["../a.png", "../private/a.png"])
def test_nothing_beside_a_zip_is_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "private").mkdir()
    for place in ("a.png", "private/a.png"):
        Image.new("RGB", (20, 10)).save(tmp_path / place)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("labels.json", COCO.replace("a.png", name))
    with pytest.raises(DatasetError, match="no picture"):
        list(open_dataset(tmp_path / "export.zip"))


def test_labels_in_a_zip_cost_what_labels_may(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("labels.json", "[" + ",".join(["{}"] * 3_000_000) + "]")
    with pytest.raises(DatasetError, match=r"export\.zip/labels\.json: .* that would take .* of memory"):
        open_dataset(tmp_path / "export.zip")
