"""What a look at labelled photos decides: types, splits, heads, steps, and a recipe that says so."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from dentify.errors import ConfigError, DatasetError
from dentify.planning import RANDOM, Decided, decide, look, told_time, write_decided

SIDE = 48


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty photos with a Beule each, one with hail beside, and twelve sound ones in a folder of that name."""
    folder = tmp_path / "mine"
    write_labelled(folder, [["Beule"]] * 19 + [["Beule", "Hagel"]])
    (folder.parent / "lot" / "undamaged").mkdir(parents=True)
    for number in range(12):
        cv2.imwrite(str(folder.parent / "lot" / "undamaged" / f"{number}.png"), noise(100 + number))
    (folder.parent / "labels.yaml").write_text("labels: {Beule: dent, Hagel: hail_mark}\n")
    return folder


def noise(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)


def write_labelled(folder: Path, words: list[list[str]], *, outlined: bool = True, splits: list[str] | None = None) -> None:
    """COCO with a square for each word."""
    folder.mkdir(parents=True)
    names = list(dict.fromkeys(word for of_photo in words for word in of_photo))
    images, annotations = [], []
    for number, of_photo in enumerate(words):
        cv2.imwrite(str(folder / f"{number}.png"), noise(number))
        split = {"split": splits[number]} if splits else {}
        images.append({"id": number, "file_name": f"{number}.png", "width": SIDE, "height": SIDE, **split})
        for place, word in enumerate(of_photo):
            x = 4 + 20 * place
            outline = {"segmentation": [[x, 4, x + 16, 4, x + 16, 20, x, 20]]} if outlined else {}
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": names.index(word), "bbox": [x, 4, 16, 16]} | outline
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    (folder / "labels.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def decided(paths: list[Path], root: Path, **how: Any) -> Decided:
    labels = how.pop("labels", None)
    return decide(look(paths, labels=labels), output=root / "run", data=root, labels=labels, **how)


def test_types_splits_and_steps_follow_from_the_photos(photos: Path, tmp_path: Path) -> None:
    done = decided([photos, tmp_path / "lot"], tmp_path, labels=tmp_path / "labels.yaml", start=RANDOM)
    recipe = yaml.safe_load(done.recipe)
    assert done.types == ("dent", "hail_mark")
    assert recipe["classes"]["damage"] == ["dent", "hail_mark"]
    assert set(recipe["heads"]) == {"types", "any", "centres", "offsets", "damaged"}
    assert recipe["data"]["train"][0]["repeat"] == {"hail_mark": 3}
    assert [one["dataset"] for one in recipe["data"]["train"]] == ["mine", "lot"]
    assert recipe["data"]["train"][0]["labels"] == "labels.yaml"
    assert [one["splits"] for one in recipe["data"]["val"]] == ["run/splits-1.csv", "run/splits-2.csv"]
    assert sum(phase["steps"] for phase in recipe["phases"]) == done.steps == 800
    assert {phase["paste"] for phase in recipe["phases"]} == {0.3}
    assert set(recipe["origins"]) == {"mine", "lot"}
    rows = list(csv.DictReader(done.files["splits-1.csv"].decode().splitlines()))
    assert {row["split"] for row in rows} == {"train", "val"}
    assert 2 <= sum(row["split"] == "val" for row in rows) <= 6
    assert any("hail_mark (1×); fewer than 5 teach little" in line for line in done.why)


def test_a_run_that_begins_with_the_bundle_learns_its_last_layers_slowly_and_keeps_its_parts(
    photos: Path, tmp_path: Path
) -> None:
    done = decided([photos], tmp_path, labels=tmp_path / "labels.yaml")
    recipe, other = (yaml.safe_load(text) for text in (done.recipe, decided_random(photos, tmp_path).recipe))
    assert (recipe["start"], recipe["distil"]) == ("default", {"teacher": "default", "heads": ["parts"]})
    assert "hood" in recipe["classes"]["parts"]
    assert "parts" in recipe["heads"]
    assert recipe["phases"][0]["train"] == ["encoder.5-", "decoder"]
    assert "start" not in other
    assert "distil" not in other
    assert other["phases"][0]["train"] == ["*"]
    assert other["optimizers"][0]["rate"] > 2 * recipe["optimizers"][0]["rate"]
    assert recipe["model"]["origins"]["default"]["origin"].startswith("the bundle default ")


def decided_random(photos: Path, root: Path) -> Decided:
    return decided([photos], root, labels=root / "labels.yaml", start=RANDOM)


def test_splits_of_ones_own_are_kept_and_test_photos_stay_aside(tmp_path: Path) -> None:
    splits = ["train"] * 14 + ["val"] * 4 + ["test"] * 2
    write_labelled(tmp_path / "whole", [["dent"]] * 20, splits=splits)
    done = decided([tmp_path / "whole" / "labels.json"], tmp_path, start=RANDOM)
    seen = {row["file"]: row["split"] for row in csv.DictReader(done.files["splits.csv"].decode().splitlines())}
    if set(seen.values()) == {"train", "val", "test"}:  # where COCO tells splits
        assert [seen[f"{number}.png"] for number in range(20)] == splits


def test_near_duplicates_stay_together(photos: Path, tmp_path: Path) -> None:
    picture = cv2.resize(noise(5), (96, 96), interpolation=cv2.INTER_CUBIC)
    for number in range(10, 20):
        cv2.imwrite(str(photos / f"{number}.png"), cv2.resize(picture, (SIDE, SIDE)))
    done = decided([photos], tmp_path, labels=tmp_path / "labels.yaml", start=RANDOM)
    rows = list(csv.DictReader(done.files["splits.csv"].decode().splitlines()))
    alike = [row for row in rows if int(Path(row["file"]).stem) >= 10]
    assert len({row["split"] for row in alike}) == 1
    assert len({row["group"] for row in alike}) == 1


def test_boxes_alone_are_told(tmp_path: Path) -> None:
    write_labelled(tmp_path / "boxes", [["dent"]] * 16, outlined=False)
    done = decided([tmp_path / "boxes"], tmp_path, start=RANDOM)
    assert "16 of 16 damages have boxes and no outlines, which teach less" in done.why


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([["Beule"]] * 20, "1 label that is not mapped: Beule (20×"),
        ([["dent"]] * 3, "3 damaged photos are too few to learn from; label 12 or more"),
        ([["hood"]] * 20, "20 photos show no damage"),
    ],
    ids=["words that nobody explained", "too few", "nothing to learn"],
)
def test_what_teaches_nothing_is_refused(tmp_path: Path, words: list[list[str]], message: str) -> None:
    write_labelled(tmp_path / "mine", words)
    with pytest.raises(DatasetError) as refused:
        decided([tmp_path / "mine"], tmp_path, start=RANDOM)
    assert message in str(refused.value)


def test_photos_by_type_need_a_classifier(tmp_path: Path) -> None:
    for number in range(14):
        (tmp_path / "mine" / "dent").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "mine" / "dent" / f"{number}.png"), noise(number))
    with pytest.raises(DatasetError, match=r"14 photos tell types of whole photos, .*`dentify recipe show convnext_atto`"):
        decided([tmp_path / "mine"], tmp_path, start=RANDOM)


def test_all_faults_come_to_who_collects_them(photos: Path, tmp_path: Path) -> None:
    (photos / "3.png").unlink()
    (photos / "4.png").write_bytes(b"no picture")
    told: list[str] = []
    look([photos, tmp_path / "nowhere"], on_fault=lambda fault: told.append(str(fault)))
    assert len(told) == 4, told
    assert "Beule (20×" in told[0]
    assert {"3.png", "4.png"} == {name for name in ("3.png", "4.png") if any(name in line for line in told[1:3])}
    assert "nowhere: no such file or folder" in told[3]


def test_a_recipe_and_what_it_names_are_written_where_no_run_is(photos: Path, tmp_path: Path) -> None:
    done = decided_random(photos, tmp_path)
    assert write_decided(done, tmp_path / "run").read_text() == done.recipe
    assert (tmp_path / "run" / "splits.csv").read_bytes() == done.files["splits.csv"]
    (tmp_path / "run" / "last.ckpt").touch()
    with pytest.raises(ConfigError, match="run: holds a run already; go on with --resume"):
        write_decided(done, tmp_path / "run")


def test_names_that_yaml_reads_otherwise_are_quoted(tmp_path: Path) -> None:
    write_labelled(tmp_path / "no", [["x"]] * 14)
    (tmp_path / "labels.yaml").write_text('labels: {x: "hail, large"}\n')
    recipe = yaml.safe_load(decided([tmp_path / "no"], tmp_path, labels=tmp_path / "labels.yaml", start=RANDOM).recipe)
    assert recipe["classes"]["damage"] == ["hail, large"]
    assert recipe["data"]["train"][0]["dataset"] == "no"


def test_times_are_told_in_the_unit_that_fits() -> None:
    assert [told_time(seconds) for seconds in (10, 90, 5300, 7200)] == ["1 minute", "2 minutes", "88 minutes", "2.0 hours"]


def test_planning_loads_no_pytorch() -> None:
    code = "import sys, dentify.planning, dentify.cli.train; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
