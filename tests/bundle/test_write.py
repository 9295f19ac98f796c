"""Writing a bundle: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from dentify.bundle import Bundle, Manifest, write_bundle
from dentify.errors import BundleError, OutputError
from dentify.testing import tiny_manifest, tiny_onnx

MANIFEST = Manifest.model_validate(tiny_manifest())
FILES = {"tiny.onnx": tiny_onnx()}


def test_what_was_written_opens_again(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "deep" / "b", MANIFEST, FILES)
    bundle = Bundle.open(folder)
    assert bundle.manifest.model_copy(update={"files": ()}) == MANIFEST
    assert bundle.files == FILES
    assert sorted(path.name for path in folder.iterdir()) == ["MODEL_CARD.md", "bundle.json", "tiny.onnx"]


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_the_same_bundle_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    first, second = write_bundle(tmp_path / "1" / name, MANIFEST, FILES), write_bundle(tmp_path / "2" / name, MANIFEST, FILES)
    if first.is_dir():
        for path in first.iterdir():
            assert path.read_bytes() == (second / path.name).read_bytes()
    else:
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_nothing_is_overwritten_unasked(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / name, MANIFEST, FILES)
    newer = MANIFEST.model_copy(update={"version": "2.0.0"})
    with pytest.raises(OutputError, match="exists already; choose another name or ask for it to be overwritten"):
        write_bundle(tmp_path / name, newer, FILES)
    assert Bundle.open(tmp_path / name).manifest.version == "1.0.0"
    write_bundle(tmp_path / name, newer, FILES, overwrite=True)
    assert Bundle.open(tmp_path / name).manifest.version == "2.0.0"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["photos", "photo.zip"])
def test_what_is_no_bundle_is_never_overwritten(tmp_path: Path, name: str) -> None:
    only_copy = tmp_path / name
    if only_copy.suffix:
        only_copy.write_bytes(b"photo")
    else:
        only_copy.mkdir()
    with pytest.raises(OutputError, match="is no bundle, so it is not overwritten; choose another name"):
        write_bundle(only_copy, MANIFEST, FILES, overwrite=True)
    assert only_copy.is_dir() or only_copy.read_bytes() == b"photo"


def test_a_bundle_that_would_not_open_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not an ONNX file"):
        write_bundle(tmp_path / "b", MANIFEST, {"tiny.onnx": b"text"})
    with pytest.raises(BundleError, match=r"networks names 'tiny.onnx', which is not in files"):
        write_bundle(tmp_path / "b", MANIFEST, {"other.onnx": tiny_onnx()})
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_said_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(OutputError, match=r"file/b: cannot be written: (Not a directory|File exists)$"):
        write_bundle(tmp_path / "file" / "b", MANIFEST, FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failure_half_way_leaves_the_old_bundle(tmp_path: Path) -> None:
    """A file name that is too long for the file system fails after the first files are written."""
    target = write_bundle(tmp_path / "b", MANIFEST, FILES)
    blocked = tmp_path / ("n" * 250)
    with pytest.raises(OutputError, match=r"cannot be written: File name too long$"):
        write_bundle(blocked, MANIFEST, FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert Bundle.open(target).manifest.version == "1.0.0"
