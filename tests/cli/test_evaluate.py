"""`dentify evaluate`, on painted photos whose answers are known."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cardd_release import write_release
from dentify.evaluation import Evaluation
from dentify.testing import paint_photo, tiny_classifier

Dentify = Callable[..., Any]
Paint = Callable[..., Path]
Start = Callable[..., "subprocess.Popen[str]"]

DENT = [48, 32, 24, 16]  # x, y, width, height of what `paint` paints first, pixels of a photo of 192 × 128
SCRATCH = [96, 64, 24, 16]


@pytest.fixture
def data(paint: Paint, tmp_path: Path) -> Path:
    """One photo with a dent and a scratch in COCO, two sound ones, one without a vehicle."""
    paint("damage/a.png", "dent", "scratch")
    outlines = [[[x, y, x + w, y, x + w, y + h, x, y + h]] for x, y, w, h in (DENT, SCRATCH)]
    rows = [(1, 7, outlines[0]), (2, 3, outlines[1])]  # ids in no order of ours
    document = {
        "categories": [{"id": 3, "name": "scratch"}, {"id": 7, "name": "dent"}],
        "images": [{"id": 1, "file_name": "a.png", "width": 192, "height": 128, "source": "painted"}],
        "annotations": [{"id": n, "image_id": 1, "category_id": c, "segmentation": s, "severity": "severe"} for n, c, s in rows],
    }
    Path("damage/val.json").write_text(json.dumps(document))
    paint("sound/images/b.png")
    paint("sound/images/c.png")
    Path("sound/photos.csv").write_text("file,source,split\nb.png,yard,val\nc.png,yard,train\n")
    Path("none").mkdir()
    Image.fromarray(paint_photo(size_hw=(128, 192), body=None)).save("none/d.png")
    return tmp_path


ALL = ("damage/val.json", "undamaged=sound/photos.csv:val", "no_vehicle=none")


def test_a_bundle_that_knows_all_gets_full_marks(dentify: Dentify, bundle: Path, data: Path) -> None:
    result = dentify("evaluate", bundle, *ALL, "--format", "json", "--resamples", "20")
    assert result.exit_code == 0, result.output
    evaluation = Evaluation.model_validate_json(result.stdout)
    assert evaluation.damage is not None
    for name in ("dent", "scratch"):
        one = evaluation.damage.names[name]
        assert one.mask is not None
        assert pytest.approx(1.0) == one.mask.AP
        assert pytest.approx(1.0) == one.box.AP
        assert one.pixels.iou == pytest.approx(1.0)
        assert one.instances == 1
    assert evaluation.damage.any_damage is not None
    assert evaluation.damage.any_damage.iou.value == pytest.approx(1.0)
    assert evaluation.gates.kinds["damaged"].damage.share == 1.0
    assert evaluation.gates.kinds["undamaged"].damage.share == 0.0
    assert evaluation.gates.kinds["no_vehicle"].vehicle.share == 0.0
    assert (evaluation.gates.vehicle_auroc, evaluation.gates.damage_auroc) == (1.0, 1.0)
    assert evaluation.severity is not None
    assert evaluation.severity.findings.macro_recall == 1.0
    assert evaluation.counting is not None
    assert evaluation.counting.findings.value == 0.0
    assert evaluation.bundle.name == "tiny"
    assert evaluation.data == ALL
    assert (evaluation.photos.undamaged, evaluation.photos.no_vehicle) == (1, 1)
    assert evaluation.settings.scored.score_threshold == 0.01
    assert not evaluation.settings.scored.gates


def test_the_table_goes_to_stdout_and_files_to_the_folder(dentify: Dentify, bundle: Path, data: Path) -> None:
    result = dentify("evaluate", bundle, *ALL, "-o", "out", "--resamples", "20")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("bundle tiny 1.0.0 (")
    assert result.stderr == ""
    assert {path.name for path in Path("out").iterdir()} >= {"metrics.json", "names.csv", "reliability.png", "damage_bars.png"}
    again = dentify("evaluate", bundle, *ALL, "-o", "out")
    assert again.exit_code == 1
    assert "metrics.json: is there already; --overwrite replaces it" in again.stderr
    before = json.loads(Path("out/metrics.json").read_text())
    assert dentify("evaluate", bundle, *ALL, "-o", "out", "--resamples", "20", "--overwrite").exit_code == 0
    after = json.loads(Path("out/metrics.json").read_text())
    assert before.pop("latency")["photos"] == after.pop("latency")["photos"] == 3
    assert before == after


def test_a_bundle_of_types_alone_is_judged_and_its_page_written(dentify: Dentify, data: Path) -> None:
    result = dentify("evaluate", tiny_classifier("types"), *ALL, "-o", "out", "--resamples", "5")
    assert result.exit_code == 0, result.output
    assert "Which types does the photo show (3 photos)" in result.stdout
    assert "Damage (sizes" not in result.stdout
    files = {path.name for path in Path("out").iterdir()}
    assert files == {
        "classes.csv",
        "confusion_types.csv",
        "confusion_types.png",
        "index.html",
        "metrics.json",
        "names.csv",
        "reliability_photos.png",
    }


def test_photos_that_say_nothing_of_what_the_bundle_tells_are_one_line(dentify: Dentify, data: Path) -> None:
    result = dentify("evaluate", tiny_classifier("types", exclusive=True), "undamaged=sound")
    assert result.exit_code == 1
    assert result.stderr == "error: nothing to judge tiny by: it tells types, and no photo is labelled with that\n"


def test_damaged_photos_without_outlines_are_judged_by_the_gates_alone(dentify: Dentify, bundle: Path, data: Path) -> None:
    result = dentify("evaluate", bundle, "damaged=damage", "--resamples", "20", "--format", "json")
    assert result.exit_code == 0, result.output
    evaluation = Evaluation.model_validate_json(result.stdout)
    assert set(evaluation.gates.kinds) == {"damaged"}
    assert evaluation.gates.kinds["damaged"].damage.share == 1.0
    assert evaluation.damage is None


def test_a_list_that_says_what_its_photos_show_is_judged_by_gates_and_severity(
    dentify: Dentify, bundle: Path, data: Path
) -> None:
    Path("list.csv").write_text(
        "file,source,vehicle,damage,severity\n"
        "damage/a.png,claims,1,1,severe\nsound/images/b.png,yard,1,0,\nsound/images/c.png,claims,1,1,minor\nnone/d.png,rooms,0,,\n"
    )
    result = dentify("evaluate", bundle, "list.csv", "--resamples", "5", "--format", "json")
    assert result.exit_code == 0, result.output
    evaluation = Evaluation.model_validate_json(result.stdout)
    kinds, sources = evaluation.gates.kinds, evaluation.gates.sources
    assert {kind: (one.damage.count, one.damage.of) for kind, one in kinds.items() if kind != "no_vehicle"} == {
        "damaged": (1, 2),
        "undamaged": (0, 1),
    }
    assert sources["damaged"]["claims"].damage == kinds["damaged"].damage
    assert evaluation.damage is None
    assert evaluation.severity is not None
    assert evaluation.severity.photos.of == 2
    assert evaluation.severity.photos.macro_recall == 0.5  # c is called undamaged: its severity is not told, which is wrong


def test_what_else_lies_in_a_folder_is_noted(dentify: Dentify, bundle: Path, data: Path) -> None:
    Path("damage/photos.csv").write_text("file,damage\na.png,1\n")
    result = dentify("evaluate", bundle, "damage", "--resamples", "5", "--format", "json")
    assert result.exit_code == 0, result.output
    assert Evaluation.model_validate_json(result.stdout).photos.annotated == 1
    assert result.stderr == (
        "note: also found: CSV of files and labels (damage/photos.csv); name it, or --input-format table, to read it\n"
    )


def test_photos_made_alike_and_close_ups_are_judged(dentify: Dentify, bundle: Path, data: Path) -> None:
    how = ("--stretch", "128x128", "--jpeg", "95", "--crops", "3", "--resamples", "20", "--format", "json")
    result = dentify("evaluate", bundle, "damage/val.json", "undamaged=sound", *how)
    assert result.exit_code == 0, result.output
    evaluation = Evaluation.model_validate_json(result.stdout)
    assert evaluation.settings.stretch_wh == (128, 128)
    assert (evaluation.photos.undamaged, evaluation.photos.undamaged_crops) == (2, 6)
    assert evaluation.gates.kinds["undamaged_crops"].damage.share == 0.0
    assert evaluation.damage is not None
    assert evaluation.damage.any_damage is not None
    assert evaluation.damage.any_damage.iou.value is not None
    assert evaluation.damage.any_damage.iou.value > 0.8


def test_a_threshold_or_no_gates_makes_it_one_look(dentify: Dentify, bundle: Path, data: Path) -> None:
    for how in (["--score-threshold", "0.01", "--no-gates"], ["--no-gates"]):
        result = dentify("evaluate", bundle, "damage/val.json", *how, "--resamples", "5", "--format", "json")
        settings = Evaluation.model_validate_json(result.stdout).settings
        assert settings.told == settings.scored
        assert not settings.told.gates


def test_a_release_of_cardd_is_judged_by_its_test_split_beside_what_was_published(
    dentify: Dentify, bundle: Path, tmp_path: Path
) -> None:
    photos = {"train": [("scratch", 1.0)], "val": [("dent", 1.0)], "test": [("dent", 1.0), ("crack", 1.0)]}
    write_release(tmp_path / "CarDD_release", photos)
    result = dentify("evaluate", bundle, "CarDD_release", "-o", "out", "--resamples", "5")
    assert result.exit_code == 0, result.output
    assert result.stderr == "note: CarDD_release is of CarDD: its test split is judged\n"
    assert "photos 2 annotated, 2 damaged" in result.stdout
    assert "CarDD: what was published of its test split\n" in result.stdout
    assert "DCN+ R101" in result.stdout
    assert "SGL-KRN" in result.stdout
    evaluation = Evaluation.model_validate_json(Path("out/metrics.json").read_text())
    assert evaluation.benchmark is not None
    assert (evaluation.benchmark.name, evaluation.benchmark.split) == ("CarDD", "test")
    assert "DCN+ R101" in Path("out/index.html").read_text()

    masks = dentify("evaluate", bundle, "CarDD_release/CarDD_SOD:val", "--resamples", "5")
    assert masks.exit_code == 0, masks.output
    assert masks.stderr == ""
    assert "photos 1 annotated, 1 damaged" in masks.stdout
    assert "this bundle's of its val split" in masks.stdout

    mixed = dentify("evaluate", bundle, "CarDD_release:test", "CarDD_release:val", "--resamples", "5")
    assert "photos 3 annotated, 3 damaged" in mixed.stdout
    assert "CarDD: what" not in mixed.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["sound/photos.csv:val"],
            "'sound/photos.csv:val' tells nothing of its photos (no outlines, vehicle, damage or severity)",
        ),
        (["undamaged="], "names no CSV or folder"),
        (["damage/val.json", "--stretch", "320"], "--stretch '320' is no size; give WxH in pixels"),
        (["damage/val.json", "--overwrite"], "--overwrite needs -o"),
        (["damage/val.json", "--jpeg", "101"], "--jpeg"),
        ([], "Missing argument 'DATA...'"),
    ],
)
def test_wrong_usage_is_told_before_any_work(
    dentify: Dentify, bundle: Path, data: Path, arguments: list[str], message: str
) -> None:
    result = dentify("evaluate", bundle, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["damage/nowhere.json"], "damage/nowhere.json: no such file or folder"),
        (["undamaged=nowhere"], "nowhere: no such CSV or folder of photos"),
        (["undamaged=sound/photos.csv:test"], "sound/photos.csv: holds no photo of split 'test'"),
        (["damage/val.json", "--images", "nowhere"], "nowhere: no such folder of pictures"),
        (["damage/val.json", "-o", "damage/a.png"], "damage/a.png: is a file; name a folder"),
    ],
)
def test_what_cannot_be_read_is_one_line(dentify: Dentify, bundle: Path, data: Path, arguments: list[str], message: str) -> None:
    result = dentify("evaluate", bundle, *arguments)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr


def test_labels_that_match_nothing_are_an_error_before_any_photo_is_looked_at(dentify: Dentify, bundle: Path, data: Path) -> None:
    """In the words of `dentify train`; a word that is known beside them makes a note of it."""
    text = Path("damage/val.json").read_text()
    Path("damage/val.json").write_text(text.replace('"scratch"', '"Kratzer tief"').replace('"dent"', '"Beule"'))
    Path("damage/a.png").write_bytes(b"not looked at")
    result = dentify("evaluate", bundle, "damage/val.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "error: damage/val.json: 2 labels that are not mapped: Beule (1×), Kratzer tief (1×); say in a"
    )
    assert result.stderr.count("\n") == 1


def test_a_broken_picture_ends_it_with_its_name(dentify: Dentify, bundle: Path, data: Path) -> None:
    Path("none/e.png").write_bytes(b"no picture")
    result = dentify("evaluate", bundle, "no_vehicle=none")
    assert result.exit_code == 1
    assert "e.png" in result.stderr
    assert result.stderr.count("\n") == 1


def test_labels_of_another_size_end_it(dentify: Dentify, bundle: Path, data: Path) -> None:
    text = Path("damage/val.json").read_text().replace('"width": 192', '"width": 190')
    Path("damage/val.json").write_text(text)
    result = dentify("evaluate", bundle, "damage/val.json")
    assert "a.png is 192 × 128 pixels, its labels are for 190 × 128" in result.stderr


def test_a_missing_extra_is_one_line(start: Start, bundle: Path, data: Path) -> None:
    blocked = Path("blocked")
    blocked.mkdir()
    (blocked / "hotcoco.py").write_text("raise ModuleNotFoundError('No module named hotcoco', name='hotcoco')")
    process = start("evaluate", bundle, "damage/val.json", environment={"PYTHONPATH": str(blocked.resolve())})
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == 'error: Evaluating needs more packages: pip install "dentify[evaluate]"\n'
