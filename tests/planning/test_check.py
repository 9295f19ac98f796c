"""Everything that would end a run before its first step, in one go."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest
import yaml

pytest.importorskip("torch", reason="the toy recipe needs the extra `train`")

from dentify.curation.split import split_dataset, write_splits
from dentify.datasets import open_dataset
from dentify.planning import check as checking
from dentify.planning import check_labels, check_recipe, find_recipe
from dentify.planning.times import Stretch
from dentify.settings import Settings
from labelled_squares import noise
from toy_bench import paint_photos, toy_document


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_photos(tmp_path_factory.mktemp("photos"))


def faults_of(document: object, data: Path, folder: Path, *, resume: bool = False, start: str | None = None) -> list[str]:
    (folder / "recipe.yaml").write_text(yaml.safe_dump(document))
    return check_recipe(
        folder / "recipe.yaml", data=data, output=folder / "run", start=start, resume=resume, settings=Settings()
    ).faults


def test_a_recipe_that_fits_has_no_faults_and_says_what_the_run_will_be(painted: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(toy_document()))
    checked = check_recipe(
        tmp_path / "recipe.yaml", data=painted, output=tmp_path / "run", start=None, resume=False, settings=Settings()
    )
    assert checked.faults == []
    assert (checked.photos, checked.types, checked.steps) == (24 + 6 + 6 + 24, ("dent", "hail_mark"), 10)
    assert checked.stretches == (Stretch(6, 4, 32), Stretch(4, 4, 32))
    assert (checked.taught, checked.looked_at) == (24 + 6 + 6, 2 * 24)  # a look every five steps


def test_changes_count_and_epochs_are_told_in_steps(painted: Path, tmp_path: Path) -> None:
    document = toy_document()
    sets = document["data"]["train"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(document))
    checked = check_recipe(
        tmp_path / "recipe.yaml",
        data=painted,
        output=tmp_path / "run",
        start=None,
        resume=False,
        settings=Settings(),
        changes=["phases=[{epochs: 3, size: 32}]", f"data.train.0.per_batch={24 // 2}", "data.val=[]"],
    )
    assert checked.faults == []
    assert checked.steps == 3 * max(2, *(-(-6 // one["per_batch"]) for one in sets[1:3]))
    assert checked.photos < 24 + 6 + 6 + 24


def test_photos_whose_origin_is_not_said_are_a_fault(painted: Path, tmp_path: Path) -> None:
    document = toy_document()
    document["origins"] = {"other": {"origin": "our own", "licence": "CC0"}}
    told = faults_of(document, painted, tmp_path)
    assert [line for line in told if line.startswith("`origins` says nothing of ")] == told
    assert len(told) == 1
    document["data"]["leave_out"] = told[0].partition(";")[0].removeprefix("`origins` says nothing of ").split(", ")
    assert faults_of(document, painted, tmp_path) == []


def test_a_folder_of_which_nothing_is_known_is_a_teachers(painted: Path, tmp_path: Path) -> None:
    lot = tmp_path / "lot"
    lot.mkdir()
    one = next(path for path in painted.rglob("*") if path.suffix in (".png", ".webp", ".jpg"))
    (lot / one.name).write_bytes(one.read_bytes())
    document = toy_document()
    document["data"]["train"].append({"photos": str(lot), "per_batch": 1})
    document["distil"] = {"teacher": "default"}
    document["origins"]["lot"] = {"origin": "our own", "licence": "CC0"}
    assert faults_of(document, painted, tmp_path) == []


@pytest.mark.parametrize(
    ("teacher", "told"),
    [
        ("gone.ckpt", "gone.ckpt: no such bundle or checkpoint to learn from"),
        ("gone.zip", "gone.zip: no such bundle"),
        ("train.json", "train.json: not a bundle"),
        ("", "not a bundle (no bundle.json in it)"),
    ],
    ids=["checkpoint", "bundle", "a file that is none", "a folder that is none"],
)
def test_a_teacher_that_is_missing_is_a_fault(teacher: str, told: str, painted: Path, tmp_path: Path) -> None:
    faults = faults_of(toy_document() | {"distil": {"teacher": teacher}}, painted, tmp_path)
    assert len(faults) == 1
    assert told in faults[0]
    assert faults_of(toy_document() | {"distil": {"teacher": "default"}}, painted, tmp_path) == []


def test_weights_that_are_missing_are_a_fault_where_the_run_begins_with_them(painted: Path, tmp_path: Path) -> None:
    document = toy_document()
    document["model"] |= {"encoder_weights": "gone.safetensors", "weights": "hub", "pyramid": None}
    told = f"{painted / 'gone.safetensors'}: no such pretrained weights; set model.encoder_weights to null to go without"
    assert faults_of(document, painted, tmp_path) == [told]
    assert faults_of(document, painted, tmp_path, start="default") == []
    document["model"]["encoder_weights"] = "train.json"  # it is only looked for
    assert faults_of(document, painted, tmp_path) == []


def test_a_change_that_fits_nowhere_is_a_fault(painted: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(toy_document()))
    told = check_recipe(
        tmp_path / "recipe.yaml",
        data=painted,
        output=tmp_path / "run",
        start=None,
        resume=False,
        settings=Settings(),
        changes=["phases.7.steps=5", "nonsense"],
    ).faults
    assert told == [
        "--set phases.7.steps=5: `phases.7.steps` is no place in this recipe",
        "--set nonsense: write key=value, as in --set phases.0.steps=500",
    ]


def test_all_faults_of_a_recipe_are_told_at_once(painted: Path, tmp_path: Path) -> None:
    document = toy_document(start="nowhere.ckpt", classes={"damage": ["dent"], "parts": ["hood"]})
    document["data"]["train"][1]["photos"] = "none.csv"
    document["data"]["val"].append({"per_batch": 2})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.ckpt").touch()
    told = faults_of(document, painted, tmp_path)
    wanted = ["holds a run already", "nowhere.ckpt: no such bundle", "hail_mark (8×", "none.csv: no such CSV", "names neither"]
    assert [sum(one in line for line in told) > 0 for one in wanted] == [True] * 5, told
    assert not [line for line in told if "\n" in line]


def test_a_missing_extra_is_a_fault(painted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_PACKAGES", ("torch", "torsh"))
    assert faults_of(toy_document(), painted, tmp_path) == ['training (torsh) needs more packages: pip install "dentify[train]"']


def test_what_is_no_recipe_is_told(tmp_path: Path) -> None:
    assert "is a mapping of keys" in faults_of(["a"], tmp_path, tmp_path)[0]
    (tmp_path / "broken.yaml").write_text("{")
    checked = check_recipe(tmp_path / "broken.yaml", data=tmp_path, output=None, start=None, resume=True, settings=Settings())
    assert "is not YAML" in checked.faults[0]


def test_all_faults_of_labels_are_told_at_once(painted: Path, tmp_path: Path) -> None:
    checked = check_labels(
        [painted / "train.json", tmp_path / "nowhere"],
        output=tmp_path / "run",
        data=tmp_path,
        labels=None,
        start="no-bundle",
        resume=True,
        settings=Settings(),
    )
    wanted = ["no checkpoint to resume", "no-bundle: no such bundle", "hail_mark (8×", "nowhere: no such file"]
    assert [sum(one in line for line in checked.faults) > 0 for one in wanted] == [True] * 4, checked.faults


def write_ai_hub(folder: Path, cases: int) -> None:
    """Two photos of each case, as AI Hub lays them out: a JSON file a picture, with one of its words for damage each."""
    folder.mkdir()
    for number in range(2 * cases):
        case = f"sc-{100_000 + number // 2}"
        name = f"{number:07d}_{case}"
        cv2.imwrite(str(folder / f"{name}.jpg"), noise(number))
        height, width = noise(number).shape[:2]
        damage = ("Scratched", "Separated", "Crushed", "Breakage")[number // 2 % 4]
        ring = [[2, 2], [width // 2, 2], [width // 2, height // 2], [2, 2]]
        document = {
            "images": {"id": number, "file_name": f"{name}.jpg", "width": width, "height": height},
            "categories": {"id": case, "supercategory_name": "Compact car"},
            "annotations": [{"id": 1, "category_id": case, "damage": damage, "part": None, "segmentation": [[[ring]]]}],
        }
        (folder / f"{name}.json").write_text(json.dumps(document))


def test_the_recipe_of_ai_hub_fits_its_release_as_its_own_comment_says(tmp_path: Path) -> None:
    """Labels and groups are those that the recipe tells a reader to type."""
    recipe = find_recipe("segformer_aihub")
    comment = recipe.read_text()
    labels, group_by = re.search(r"#   (labels: .*)", comment), re.search(r'--group-by "(.*)"', comment)
    assert labels is not None
    assert group_by is not None
    write_ai_hub(tmp_path / "aihub", cases=20)
    (tmp_path / "labels.yaml").write_text(labels[1])
    dataset = open_dataset(tmp_path / "aihub")
    placed = split_dataset(dataset, (0.7, 0.15, 0.15), group_by=group_by[1], pictures=False)
    write_splits(placed, dataset)

    splits = {one.group: set[str]() for one in placed}
    for one in placed:
        splits[one.group].add(one.split)
    assert [len(split) for split in splits.values()] == [1] * 20
    checked = check_recipe(recipe, data=tmp_path, output=tmp_path / "run", start=None, resume=False, settings=Settings())
    assert (checked.faults, checked.types) == ([], ("scratch", "dent", "gap", "broken_part"))
    assert checked.photos == 28 + 6  # of 40, test left out
