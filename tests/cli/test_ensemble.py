"""`dentify ensemble`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result

from dentify import Bundle
from dentify.testing import Damage, paint_photo
from other_networks import BLIND, changed_bundle, changed_onnx

pytest.importorskip("scipy", reason="needs the extra fit")

Dentify = Callable[..., Result]


@pytest.fixture
def members() -> list[str]:
    """`seeing`, `blind`."""
    changed_bundle("seeing", changed_onnx(words="seeing"))
    changed_bundle("blind", changed_onnx(words="blind", **BLIND))
    return ["seeing", "blind"]


@pytest.fixture
def photos() -> None:
    """`labels.json`: 22 photos with a dent; `lot`: 12 sound cars."""
    images, annotations = [], []
    for number in range(22):
        row = number % 4
        save(f"images/{number}.png", damages=[Damage("dent", (0.125, row / 8, 0.25, row / 8 + 0.125))])
        x, y = 24, row * 16
        outline = [x, y, x + 24, y, x + 24, y + 16, x, y + 16]
        images.append({"id": number, "file_name": f"{number}.png", "width": 192, "height": 128, "source": "yard"})
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "segmentation": [outline], "bbox": [x, y, 24, 16]}
        )
    document = {"categories": [{"id": 1, "name": "dent"}], "images": images, "annotations": annotations}
    Path("labels.json").write_text(json.dumps(document))
    for number in range(12):
        save(f"lot/{number}.png")


def save(path: str, **painted: list[Damage]) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    parts = {"hood": (0.125, 0.0, 0.875, 1.0)}
    Image.fromarray(paint_photo(size_hw=(128, 192), parts=parts, **painted)).save(path, "PNG")


def test_photos_weigh_and_fit_it_and_its_cost_is_told(dentify: Dentify, members: list[str], photos: None) -> None:
    told = ("--tune", "labels.json", "--tune", "undamaged=lot", "--licence", "our own", "-q")
    result = dentify("ensemble", *members, "-o", "both", *told)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["vehicle_gate", "seeing", "0.50,", "blind", "0.50"]
    assert lines[2] == ["damage", "seeing", "1.00"]
    assert result.stdout.splitlines()[6].startswith("fitted  any damage: pixel IoU 1.000; mean AP50 1.000;")
    assert lines[7] == ["bytes", "ms", "a", "photo"]
    costs = {line[0]: int(line[1].replace(",", "")) for line in lines[8:]}
    assert costs["both"] == costs["seeing"] + costs["blind"]
    assert "note: members count the same in vehicle_gate: too few photos (34 of yes and 0 of no" in result.stderr
    manifest = Bundle.open("both").manifest
    assert (manifest.name, manifest.version, manifest.combine) == ("both", "1.0.0", {})
    rows = [(row.name, row.origin, row.licence, row.photos, row.used_for) for row in manifest.data[1:]]
    assert rows == [("yard", "labels.json", "our own", 22, "fitting"), ("lot", "undamaged=lot", "our own", 12, "fitting")]
    assert dentify("assess", "images/0.png", "--bundle", "both").exit_code == 0


def test_without_photos_all_count_the_same_and_one_line_says_what_to_do(dentify: Dentify, members: list[str]) -> None:
    result = dentify("ensemble", *members, "-o", "both.zip", "--combine", "vote", "--name", "us", "--version", "2.1")
    assert result.exit_code == 0, result.output
    assert len(result.stderr.splitlines()) == 1
    assert "give labelled photos with --tune, or run `dentify bundle fit`" in result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["bytes", "seeing", "blind", "both.zip"]
    manifest = Bundle.open("both.zip").manifest
    assert (manifest.name, manifest.version) == ("us", "2.1")
    assert manifest.combine == dict.fromkeys(("damage", "parts", "severity"), "vote")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seeing", "-o", "new"], "error: an ensemble takes two bundles or more"),
        (["seeing", "nowhere", "-o", "new"], "error: nowhere: no such bundle"),
        (["seeing", "default", "-o", "new"], "error: seeing and default disagree on damage: classes differ: only default names"),
        (["seeing", "blind", "-o", "blind"], "error: blind: exists already; choose another name or ask for it to be overwritten"),
        (["seeing", "blind", "-o", "new", "--tune", "none.json"], "error: none.json: no such file or folder"),
        (["seeing", "blind", "-o", "new", "--tune", "few.json", "-q"], "error: nothing can be fitted to 1 photo: "),
    ],
)
def test_what_makes_no_ensemble_is_one_line(dentify: Dentify, members: list[str], arguments: list[str], message: str) -> None:
    save("few.png", damages=[Damage("dent", (0.25, 0.25, 0.5, 0.5))])
    outline = [48, 32, 96, 32, 96, 64, 48, 64]
    document = {
        "categories": [{"id": 1, "name": "dent"}],
        "images": [{"id": 1, "file_name": "few.png", "width": 192, "height": 128}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [outline], "bbox": [48, 32, 48, 32]}],
    }
    Path("few.json").write_text(json.dumps(document))
    result = dentify("ensemble", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1
    assert not Path("new").exists()


@pytest.mark.parametrize("options", [["--labels", "map.yaml"], ["--frame", "stored"], ["--licence", "CC0"], ["--seed", "3"]])
def test_what_is_said_of_photos_needs_some(dentify: Dentify, members: list[str], options: list[str]) -> None:
    result = dentify("ensemble", *members, "-o", "new", *options)
    assert result.exit_code == 2
    assert f"{options[0]} is of the photos of --tune: give some" in " ".join(result.stderr.split())


def test_a_csv_that_tells_nothing_is_wrong_usage(dentify: Dentify, members: list[str]) -> None:
    Path("photos.csv").write_text("file,source\n")
    result = dentify("ensemble", *members, "-o", "new", "--tune", "photos.csv")
    assert result.exit_code == 2
    assert "tells nothing of its photos" in " ".join(result.stderr.split())
