"""`dentify bundle info`, `verify`, `build`, `fit`, `gate` and `quantize`."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from dentify import Bundle
from dentify.testing import Damage, paint_photo, tiny_classifier

Dentify = Callable[..., Result]
Paint = Callable[..., Path]


@pytest.fixture
def copy(bundle: Path) -> Path:
    return Path(shutil.copytree(bundle, "copy"))


def test_info_is_a_table_of_what_people_ask(dentify: Dentify, copy: Path) -> None:
    result = dentify("bundle", "info", copy)
    assert result.exit_code == 0
    table = dict(line.split("  ", 1) for line in result.stdout.splitlines() if not line.startswith(" "))
    assert table["bundle"].strip() == "tiny 1.0.0"
    assert table["sha256"].strip() == Bundle.open(copy).sha256
    assert table["damage types"].strip() == "dent, scratch, broken_part"
    assert table["not judged"].strip() == "crack, glass_shatter, lamp_broken, tire_flat"


def test_info_as_json_is_the_manifest(dentify: Dentify, copy: Path) -> None:
    result = dentify("bundle", "info", copy, "--format", "json")
    assert result.stdout == (copy / "bundle.json").read_text()


def test_info_tells_types_of_the_photo_apart(dentify: Dentify) -> None:
    result = dentify("bundle", "info", tiny_classifier("classifier", thresholds={"types": 0.25}))
    table = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert "damage types" not in table
    assert table["types of the photo"].strip() == "dent, scratch, broken_part"
    assert "dent of the photo 0.25" in table["told from"]


def test_verify_says_that_all_is_well(dentify: Dentify, copy: Path) -> None:
    result = dentify("bundle", "verify", copy)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "tiny 1.0.0 is whole and can be used."
    document = json.loads(dentify("bundle", "verify", copy, "--format", "json").stdout)
    assert (document["verified"], document["name"]) == (True, "tiny")


@pytest.mark.parametrize("command", ["info", "verify"])
def test_one_flipped_byte_is_one_line(command: str, dentify: Dentify, copy: Path) -> None:
    network = copy / "tiny.onnx"
    data = bytearray(network.read_bytes())
    data[len(data) // 2] ^= 1
    network.write_bytes(data)
    result = dentify("bundle", command, copy)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: copy/tiny.onnx: altered")
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_file_is_one_line(dentify: Dentify, copy: Path) -> None:
    (copy / "tiny.onnx").unlink()
    result = dentify("bundle", "verify", copy)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: copy/tiny.onnx: missing; take the bundle from its source again\n"


def test_a_newer_bundle_is_one_line(dentify: Dentify, copy: Path) -> None:
    manifest = copy / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": "1.0"', '"schema_version": "2.0"'))
    result = dentify("bundle", "verify", copy)
    assert result.exit_code == 1
    assert result.stderr == "error: copy/bundle.json: written for schema 2.0, this Dentify reads 1.x: update Dentify\n"


def plan(**roles: Any) -> None:
    Path("roles.yaml").write_text(json.dumps({"name": "mine", "version": "1.0.0", "roles": roles}))  # JSON is YAML


def test_build_makes_a_bundle_of_several_and_notes_what_no_longer_fits(dentify: Dentify, copy: Path, paint: Paint) -> None:
    tiny_classifier("whole.zip", name="whole")
    plan(damage=["copy"], types=["whole.zip"])
    result = dentify("bundle", "build", "roles.yaml", "-o", "mine")
    assert (result.exit_code, result.stdout) == (0, "mine\n"), result.output
    assert result.stderr == (
        "note: Confidences and thresholds of damage are those of tiny 1.0.0 behind its own vehicle_gate and damage_gate, "
        "which are not the same here; run `dentify bundle fit` on your own photos.\n"
    )
    paint("a.png", "dent")
    answer = json.loads(dentify("assess", "a.png", "--bundle", "mine", "--format", "json").stdout)
    assert [finding["type"] for finding in answer["findings"]] == [one["type"] for one in answer["types"]] == ["dent"]
    assert (answer["vehicle"], answer["damage"], answer["severity"]) == (None, None, None)


def test_build_tells_what_is_wrong_as_one_line_and_writes_nothing(dentify: Dentify, copy: Path) -> None:
    plan(types=["copy"])
    result = dentify("bundle", "build", "roles.yaml", "-o", "mine")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: roles.yaml: roles.types: copy has no types, it answers vehicle_gate,")
    assert len(result.stderr.splitlines()) == 1
    assert not Path("mine").exists()
    plan(parts=["copy"])
    assert "copy: exists already" in dentify("bundle", "build", "roles.yaml", "-o", "copy").stderr
    assert dentify("bundle", "build", "roles.yaml", "-o", "copy", "--overwrite").exit_code == 0
    assert Bundle.open("copy").manifest.name == "mine"


@pytest.fixture
def photos() -> None:
    """`labels.json`: 22 photos with a dent that is annotated and one that is not; `lot`: 12 sound cars; `rooms`: 12 others."""
    Path("images").mkdir()
    images, annotations = [], []
    for number in range(22):
        row = number % 4
        there = Damage("dent", (0.125, row / 8, 0.25, row / 8 + 0.125))
        not_there = Damage("dent", (0.25, 0.75, 0.375, 0.875), strength=0.7)
        save(f"images/{number}.png", damages=[there, not_there])
        x, y = 24, row * 16
        outline = [x, y, x + 24, y, x + 24, y + 16, x, y + 16]
        images.append({"id": number, "file_name": f"{number}.png", "width": 192, "height": 128, "source": "yard"})
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "segmentation": [outline], "bbox": [x, y, 24, 16]}
        )
    write_labels("labels.json", images, annotations)
    for number in range(12):
        save(f"lot/{number}.png")
        save(f"rooms/{number}.png", body=None)


def save(path: str, **painted: Any) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Image.fromarray(paint_photo(size_hw=(128, 192), **painted)).save(path, "PNG")


def write_labels(path: str, images: list[Any], annotations: list[Any], name: str = "dent") -> None:
    document = {"categories": [{"id": 1, "name": name}], "images": images, "annotations": annotations}
    Path(path).write_text(json.dumps(document))


ALL = ("--data", "labels.json", "--data", "undamaged=lot", "--data", "no_vehicle=rooms")


def test_fit_writes_a_bundle_that_tells_what_is_right(dentify: Dentify, copy: Path, photos: None) -> None:
    result = dentify("bundle", "fit", copy, *ALL, "-o", "fitted", "--licence", "our own")
    assert result.exit_code == 0, result.output
    before, after = result.stdout.splitlines()
    assert before.startswith("before  any damage: pixel IoU 0.5")
    assert after.startswith(
        "after   any damage: pixel IoU 1.000; mean AP50 1.000; 0.48 findings told a photo (on the photos it was"
    )
    assert result.stderr.splitlines()[0] == "note: severity stays: 0 photos of known severity, it takes 13"
    own, manifest = Bundle.open(copy).manifest, Bundle.open("fitted").manifest
    assert (manifest.name, manifest.version) == ("tiny", "1.0.0+fitted")
    assert manifest.files == own.files
    assert manifest.metrics["fitted"]["dent/AP50"] == 1.0  # type: ignore[index, call-overload]  # a figure may be a number alone
    rows = [(row.name, row.origin, row.licence, row.photos, row.used_for) for row in manifest.data[len(own.data) :]]
    assert rows == [
        ("yard", "labels.json", "our own", 22, "fitting"),
        ("lot", "undamaged=lot", "our own", 12, "fitting"),
        ("rooms", "no_vehicle=rooms", "our own", 12, "fitting"),
    ]
    assert manifest.notes[0] == "Confidences and thresholds of tiny 1.0.0 were fitted to 46 photos of its user's."
    assert dentify("assess", "images/0.png", "--bundle", "fitted").exit_code == 0


def test_fit_gives_the_same_bytes_again(dentify: Dentify, copy: Path, photos: None) -> None:
    for _ in range(2):
        result = dentify("bundle", "fit", copy, *ALL, "-o", "fitted.zip", "--version", "2.0.0", "--seed", "3", "--overwrite")
        assert result.exit_code == 0, result.output
        shutil.copy("fitted.zip", "first.zip") if not Path("first.zip").exists() else None
    assert Path("fitted.zip").read_bytes() == Path("first.zip").read_bytes()
    assert Bundle.open("fitted.zip").manifest.version == "2.0.0"


def test_fit_takes_gates_without_outlines(dentify: Dentify, copy: Path, photos: None) -> None:
    result = dentify("bundle", "fit", copy, "--data", "undamaged=lot", "--data", "no_vehicle=rooms", "-o", "fitted", "--quiet")
    assert result.exit_code == 0, result.output
    assert "note: findings stay: 0 photos with outlines, it takes 20" in result.stderr
    assert Bundle.open("fitted").manifest.calibration.vehicle.temperature != 1.0
    assert "mean AP50 –" in result.stdout


def test_fit_reads_a_label_map(dentify: Dentify, copy: Path, photos: None) -> None:
    document = json.loads(Path("labels.json").read_text())
    write_labels("labels.json", document["images"], document["annotations"], name="beule")
    Path("map.yaml").write_text("labels: {beule: dent}\n")
    refused = dentify("bundle", "fit", copy, "--data", "labels.json", "-o", "fitted")
    assert refused.exit_code == 1
    assert "error: labels.json: 1 label that is not mapped: beule (22×" in refused.stderr
    assert dentify("bundle", "fit", copy, "--data", "labels.json", "-o", "fitted", "--labels", "map.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "lot.json", "-o", "fitted"], "lot.json: no such file or folder"),
        (["--data", "undamaged=empty", "-o", "fitted"], "empty: holds no photo"),
        (["--data", "labels.json", "-o", "copy"], "copy: exists already; choose another name or ask for it to be overwritten"),
        (
            ["--data", "labels.json", "-o", "lot", "--overwrite"],
            "lot: is no bundle, so it is not overwritten; choose another name",
        ),
        (["--data", "boxes.json", "-o", "fitted"], "findings stay: 0 photos with outlines, it takes 20"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(
    dentify: Dentify, copy: Path, photos: None, arguments: list[str], message: str
) -> None:
    Path("empty").mkdir()
    document = json.loads(Path("labels.json").read_text())
    boxes = [{key: value for key, value in one.items() if key != "segmentation"} for one in document["annotations"]]
    write_labels("boxes.json", document["images"], boxes)
    result = dentify("bundle", "fit", copy, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("fitted").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "fitted"], "Missing option '--data'"),
        (["--data", "labels.json"], "Missing option '-o'"),
        (
            ["--data", "photos.csv", "-o", "fitted"],
            "'photos.csv' tells nothing of its photos (no outlines, vehicle, damage or severity); say damaged=,",
        ),
        (["--data", "undamaged=", "-o", "fitted"], "names no CSV or folder"),
        (["--data", "labels.json", "-o", "fitted", "--licence", ""], "--licence: name it in 1 to 200 characters"),
    ],
)
def test_wrong_usage_of_fit_is_told_before_any_work(dentify: Dentify, copy: Path, arguments: list[str], message: str) -> None:
    Path("photos.csv").write_text("file,source\n")
    result = dentify("bundle", "fit", copy, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.fixture
def weights(photos: None) -> Path:
    """A classifier that takes what is in `lot` for cars."""
    pytest.importorskip("timm", reason="needs the extra train")
    from classifier_file import write_classifier

    lot, rooms = ([np.asarray(Image.open(path)) for path in sorted(Path(name).iterdir())] for name in ("lot", "rooms"))
    return write_classifier(Path("classifier.safetensors"), lot, rooms)


def gate(*more: str) -> tuple[str, ...]:
    return ("bundle", "gate", "test_convnext", "--data", "undamaged=lot", "--data", "no_vehicle=rooms", "--size", "64", *more)


def test_gate_makes_a_bundle_of_a_classifier(dentify: Dentify, weights: Path) -> None:
    told = ("--origin", "made by a test", "--weights-licence", "CC0 1.0", "--licence", "our own")
    result = dentify(*gate("--weights", str(weights), "-o", "gate", "--photos", "11", *told))
    assert (result.exit_code, result.stdout) == (0, "gate\n"), result.output
    chosen = "note: Of the 1,000 classes of test_convnext 22 photos chose what means vehicle: 436 beach wagon; 817 sports car."
    assert result.stderr.splitlines()[0] == chosen
    manifest = Bundle.open("gate").manifest
    assert [(row.origin, row.licence) for row in manifest.weights] == [("made by a test", "CC0 1.0")]
    rows = [(row.name, row.origin, row.licence, row.photos, row.used_for) for row in manifest.data]
    assert rows == [
        ("lot", "undamaged=lot", "our own", 11, "choosing classes, and fitting"),
        ("rooms", "no_vehicle=rooms", "our own", 11, "choosing classes, and fitting"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--weights", "none.safetensors", "-o", "gate"), "error: none.safetensors: no such pretrained weights; leave it out to"),
        (("--weights", "lot/0.png", "-o", "gate"), "error: lot/0.png: cannot be read as safetensors"),
        (("-o", "lot"), "error: lot: exists already"),
    ],
)
def test_what_makes_no_gate_is_one_line(dentify: Dentify, photos: None, arguments: tuple[str, ...], message: str) -> None:
    pytest.importorskip("timm", reason="needs the extra train")
    result = dentify(*gate(*arguments))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1
    assert not Path("gate").exists()


def test_gate_says_what_to_install(dentify: Dentify, photos: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from dentify.cli import bundle

    monkeypatch.setattr(bundle, "find_spec", lambda name: None)
    result = dentify(*gate("-o", "gate"))
    assert result.stderr == 'error: dentify bundle gate needs more packages: pip install "dentify[train]"\n'


@pytest.fixture
def few() -> None:
    """`labels.json`: a photo with a dent that is annotated."""
    Path("images").mkdir()
    save("images/0.png", damages=[Damage("dent", (0.25, 0.25, 0.5, 0.5))])
    outline = [48, 32, 96, 32, 96, 64, 48, 64]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [outline], "bbox": [48, 32, 48, 32]}
    write_labels("labels.json", [{"id": 1, "file_name": "0.png", "width": 192, "height": 128, "source": "yard"}], [annotation])


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], None]:
    """`taking(before, after)`: how long a photo takes, which chance decides for so small networks."""
    pytest.importorskip("hotcoco", reason="needs the extra quantize")
    from dentify.fitting import int8

    def take(before: float, after: float) -> None:
        monkeypatch.setattr(int8, "compare_latency", lambda *given: int8.Figure(before, after))

    return take


QUANTIZE = ("bundle", "quantize", "copy", "--data", "labels.json", "--layers", "all", "-o", "small")


def test_quantize_writes_a_bundle_that_is_faster_and_as_good(
    dentify: Dentify, copy: Path, few: None, taking: Callable[[float, float], None]
) -> None:
    taking(20.0, 15.0)
    result = dentify(*QUANTIZE, "--licence", "our own")
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()[:3]] == [
        ["floats", "8", "bits"],
        ["photo", "in", "the", "networks,", "ms", "20.0", "15.0"],
        ["any", "damage,", "pixel", "IoU", "1.000", "1.000"],
    ]
    own, manifest = Bundle.open(copy).manifest, Bundle.open("small").manifest
    assert manifest.version == "1.0.0+int8"
    (row,) = manifest.data[len(own.data) :]
    told = (row.name, row.origin, row.licence, row.photos, row.used_for)
    assert told == ("yard", "labels.json", "our own", 1, "calibrating and judging 8 bits")
    assert dentify("assess", "images/0.png", "--bundle", "small").exit_code == 0


def test_quantize_writes_nothing_where_it_does_not_pay_but_on_demand(
    dentify: Dentify, copy: Path, few: None, taking: Callable[[float, float], None]
) -> None:
    taking(15.0, 20.0)
    result = dentify(*QUANTIZE)
    assert result.exit_code == 1
    assert "15.0     20.0" in result.stdout
    assert result.stderr == (
        "not written: 8 bits do not pay: it is not faster here (20.0 ms a photo, 15.0 before); --anyway writes it all the same\n"
    )
    assert not Path("small").exists()
    result = dentify(*QUANTIZE, "--anyway", "--version", "2")
    assert result.exit_code == 0
    assert result.stderr.startswith("note: written all the same, though 8 bits do not pay: it is not faster here")
    assert Bundle.open("small").manifest.version == "2"
    assert "small: exists already" in dentify(*QUANTIZE).stderr


def test_quantize_tells_where_there_is_nothing_to_do(dentify: Dentify, copy: Path, few: None) -> None:
    pytest.importorskip("hotcoco", reason="needs the extra quantize")
    result = dentify("bundle", "quantize", "copy", "--data", "labels.json", "-o", "small")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: copy: no network has layers that 8 bits are meant for")


def test_quantize_without_its_extra_says_what_to_install(dentify: Dentify, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = dentify(*QUANTIZE)
    assert result.exit_code == 1
    assert result.stderr == 'error: dentify bundle quantize needs more packages: pip install "dentify[quantize]"\n'


def test_fit_without_scipy_says_what_to_install(dentify: Dentify, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("dentify.fitting")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    result = dentify("bundle", "fit", copy, "--data", "labels.json", "-o", "fitted")
    assert result.exit_code == 1
    assert result.stderr == 'error: Fitting needs more packages: pip install "dentify[fit]"\n'
