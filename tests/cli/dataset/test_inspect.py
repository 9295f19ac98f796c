"""`dentify dataset inspect`: what it prints and writes, and when it is a failure."""

from __future__ import annotations

import json
from pathlib import Path

from dentify.curation.inspection import Inspection

from .conftest import SAY, Dentify, files, spoiled, write


def test_inspect_prints_a_table_and_exits_0_whatever_is_wrong_with_photos(dentify: Dentify) -> None:
    write(change=spoiled)
    result = dentify("dataset", "inspect", "data")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("data: COCO JSON, 4 photos, 2 annotations\n")
    assert "2 problems: " in result.stdout
    assert "  invalid label: data/labels.json: annotations[0] (id 1, a.png): category_id 7 is no category" in result.stdout
    assert "  missing picture: data/labels.json: images[3] (id 3): no picture 'none.png' in data" in result.stdout
    assert "note: 1 pictures below data are not in these labels, data/d.png for one" in result.stdout


def test_inspect_prints_json_alone(dentify: Dentify) -> None:
    write(change=spoiled)
    result = dentify("dataset", "inspect", "data", "--format", "json", "--no-pictures")
    inspection = Inspection.model_validate_json(result.stdout)
    assert (inspection.photos, len(inspection.problems), inspection.pictures_read) == (4, 2, False)


def test_inspect_takes_a_label_map(dentify: Dentify) -> None:
    write()
    Path("map.yaml").write_text("labels: {gocuk: dent, scrtch: scratch}")
    result = dentify("dataset", "inspect", "data", "--labels", "map.yaml", "--format", "json")
    assert set(json.loads(result.stdout)["types"]) == {"dent", "scratch"}


UNMAPPED = "2 labels that are not mapped: Car (2×; did you mean `vehicle`?), scrtch (1×; did you mean `scratch`?)"


def test_inspect_tells_words_that_the_map_leaves_out_in_the_words_of_all_commands(dentify: Dentify) -> None:
    write(change=lambda document: document["categories"][0].update(name="Car"))
    Path("map.yaml").write_text("labels: {}")
    result = dentify("dataset", "inspect", "data", "--labels", "map.yaml", "--no-pictures")
    assert result.exit_code == 0
    assert f"unmapped label: data: {UNMAPPED}" in result.stdout
    for command in (
        ["dataset", "convert", "data", "-o", "out", "--to", "coco"],
        ["dataset", "captions", "data"],
        ["dataset", "crops", "data", "-o", "crops", "--least-side", "1"],
    ):
        result = dentify(*command, "--labels", "map.yaml")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"error: data: {UNMAPPED}; {SAY}")


def test_the_draft_of_inspect_is_a_map_that_every_command_takes(dentify: Dentify) -> None:
    write(change=lambda document: document["categories"][0].update(name="Car"))
    assert dentify("dataset", "inspect", "data", "--no-pictures", "-o", "out").exit_code == 0
    assert "scrtch" in Path("out/labels.yaml").read_text()
    result = dentify("dataset", "inspect", "data", "--no-pictures", "--labels", "out/labels.yaml")
    assert "no problems" in result.stdout
    assert "not mapped" not in result.stdout
    assert dentify("dataset", "convert", "data", "-o", "coco", "--to", "coco", "--labels", "out/labels.yaml").exit_code == 0


def test_a_map_with_types_of_ones_own_is_taken_by_every_command(dentify: Dentify) -> None:
    write()
    Path("map.yaml").write_text("labels: {scrtch: hail_mark}")
    for command in (
        ["inspect", "data"],
        ["captions", "data"],
        ["convert", "data", "-o", "out", "--to", "coco"],
        ["crops", "data", "-o", "crops", "--least-side", "1"],
    ):
        assert dentify("dataset", *command, "--labels", "map.yaml").exit_code == 0
    result = dentify("dataset", "inspect", "out", "--labels", "map.yaml", "--no-pictures", "--format", "json")
    assert json.loads(result.stdout)["types"]["hail_mark"]["kind"] == "damage"


def test_inspect_writes_files_and_does_not_replace_them_unasked(dentify: Dentify) -> None:
    write()
    assert dentify("dataset", "inspect", "data", "-o", "out").exit_code == 0
    assert files("out") == {"inspection.json", "inspection.html", "labels.yaml"}
    Path("out/inspection.json").write_text("mine")
    result = dentify("dataset", "inspect", "data", "-o", "out")
    assert (result.exit_code, result.stdout) == (1, "")  # before the work is done
    assert result.stderr == "error: out/inspection.json: is there already; --overwrite replaces it\n"
    assert Path("out/inspection.json").read_text() == "mine"
    assert dentify("dataset", "inspect", "data", "-o", "out", "--overwrite").exit_code == 0
    assert Inspection.model_validate_json(Path("out/inspection.json").read_text()).photos == 4


def test_inspect_of_labels_without_one_photo_that_holds_tells_all_and_exits_1(dentify: Dentify) -> None:
    write(change=lambda document: [image.update(width=0) for image in document["images"]])
    result = dentify("dataset", "inspect", "data")
    assert result.exit_code == 1
    assert "4 problems: 4 invalid label" in result.stdout


def test_inspect_of_an_empty_data_set_is_no_failure(dentify: Dentify) -> None:
    Path("data").mkdir()
    Path("data/labels.json").write_text('{"images": [], "annotations": [], "categories": []}')
    result = dentify("dataset", "inspect", "data")
    assert result.exit_code == 0
    assert result.stdout.startswith("data: COCO JSON, 0 photos, 0 annotations\n")
