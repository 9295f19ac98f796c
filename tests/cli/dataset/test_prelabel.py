"""`dentify dataset prelabel`: drafts of what a bundle finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dentify.datasets import open_dataset
from dentify.testing import Damage, paint_photo

from .conftest import Dentify, Paint, files


@pytest.mark.parametrize("to", ["cvat", "via", "coco", "label_studio", "yolo"])
def test_prelabel_drafts_what_it_can_read(dentify: Dentify, bundle: Path, paint: Paint, to: str) -> None:
    paint("photos/a.png", "dent", "scratch")
    paint("photos/sub/a.png", "dent")
    Path("photos/b.png").write_bytes(b"no picture")
    result = dentify("dataset", "prelabel", "photos", "-o", "out", "--to", to, "--bundle", bundle)
    assert (result.exit_code, result.stdout) == (1, "out\n")
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: photos/b.png: not a picture")
    back = {sample.name: sorted(one.name for one in sample.annotations) for sample in open_dataset("out")}
    assert back == {"a.png": ["dent", "scratch"], "sub-a.png": ["dent"]}


def test_prelabel_marks_what_is_below_a_confidence_and_drafts_parts(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    damages = [Damage("dent", (0.25, 0.25, 0.375, 0.375)), Damage("scratch", (0.5, 0.5, 0.625, 0.625), 0.67)]
    Image.fromarray(paint_photo(size_hw=(128, 192), parts={"hood": (0.125, 0.125, 0.875, 0.875)}, damages=damages)).save("a.png")

    def drafted(*options: str) -> dict[str, bool]:
        result = dentify("dataset", "prelabel", "a.png", "-o", "out", "--to", "coco", "--bundle", bundle, "--overwrite", *options)
        assert result.exit_code == 0, result.output
        return {one.name: one.check for sample in open_dataset("out") for one in sample.annotations}

    assert drafted() == {"dent": False, "scratch": False}
    assert drafted("--check-below", "0.9") == {"dent": False, "scratch": True}
    assert drafted("--parts") == {"dent": False, "scratch": False, "hood": False}
    assert drafted("--score-threshold", "0.9") == {"dent": False}


@pytest.mark.parametrize("out", ["photos", "../{here}"])
def test_prelabel_does_not_replace_the_photos_it_reads(dentify: Dentify, bundle: Path, paint: Paint, out: str) -> None:
    paint("photos/a.png", "dent")
    out = out.format(here=Path.cwd().name)
    for given in ("photos", "photos/a.png", "photos/*.png"):
        result = dentify("dataset", "prelabel", given, "-o", out, "--to", "coco", "--bundle", bundle, "--overwrite")
        assert (result.exit_code, result.stderr) == (1, f"error: {out}: holds what is read; name another folder\n")
    assert files("photos") == {"a.png"}


def test_prelabel_without_one_photo_writes_and_replaces_nothing(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("photos/a.png", "dent")
    dentify("dataset", "prelabel", "photos", "-o", "out", "--to", "coco", "--bundle", bundle)
    before = files("out")
    for target in ("out", "new"):
        result = dentify("dataset", "prelabel", "fotos", "-o", target, "--to", "coco", "--bundle", bundle, "--overwrite")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == ("error: fotos: no such file or folder\nerror: no photo could be drafted; nothing was written\n")
    assert files("out") == before
    assert not Path("new").exists()


def test_prelabel_does_not_replace_unasked(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("photos/a.png", "dent")
    paint("out/mine.png")
    result = dentify("dataset", "prelabel", "photos", "-o", "out", "--to", "cvat", "--bundle", bundle)
    assert (result.exit_code, result.stderr) == (1, "error: out: is there already; --overwrite replaces all of it\n")
    assert files("out") == {"mine.png"}
