"""Everything that would end a run before its first step, in one go."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

pytest.importorskip("torch", reason="the toy recipe needs the extra `train`")

import onnx
from onnx import helper, numpy_helper

from dentify.bundle import Manifest, write_bundle
from dentify.curation.split import split_dataset, write_splits
from dentify.datasets import open_dataset
from dentify.errors import ConfigError
from dentify.planning import check as checking
from dentify.planning import check_labels, check_recipe, find_recipe
from dentify.planning.times import Stretch
from dentify.settings import Settings
from dentify.testing import tiny_manifest, tiny_onnx
from labelled_squares import decided, noise, write_labelled
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
    assert (checked.photos, checked.types, checked.steps) == (24 + 6 + 3 + 24, ("dent", "hail_mark"), 10)
    assert checked.stretches == (Stretch(6, 4, 32), Stretch(4, 4, 32))
    assert (checked.taught, checked.looked_at) == (24 + 6 + 3, 2 * 24)  # a look every five steps


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
    assert checked.photos == 24 + 6 + 3


def test_photos_whose_origin_is_not_said_are_a_fault(painted: Path, tmp_path: Path) -> None:
    document = toy_document()
    document["origins"] = {"other": {"origin": "our own", "licence": "CC0"}}
    told = faults_of(document, painted, tmp_path)
    assert [line for line in told if line.startswith("`origins` says nothing of ")] == told
    assert len(told) == 1
    document["data"]["leave_out"] = told[0].partition(";")[0].removeprefix("`origins` says nothing of ").split(", ")
    assert faults_of(document, painted, tmp_path) == []


def test_photos_that_no_split_names_count_as_trained_on(tmp_path: Path) -> None:
    write_labelled(tmp_path / "mine", [["dent"]] * 6)
    (tmp_path / "mine" / "splits.csv").write_text("file,split,group\n0.png,train,\n1.png,val,\n")
    document = toy_document(origins={"mine": {"origin": "our own", "licence": "CC0"}})
    document["data"] |= {"train": [{"dataset": "mine"}], "val": [{"dataset": "mine"}]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(document))
    checked = check_recipe(
        tmp_path / "recipe.yaml", data=tmp_path, output=tmp_path / "run", start=None, resume=False, settings=Settings()
    )
    assert (checked.faults, checked.taught, checked.photos) == ([], 5, 6)


def test_what_a_set_leaves_out_needs_no_origin_and_has_to_be_there(painted: Path, tmp_path: Path) -> None:
    document = toy_document()
    document["data"]["train"][1]["leave_out"] = ["garage"]  # as the set beside it does
    del document["origins"]["garage"]
    assert faults_of(document, painted, tmp_path) == []
    document["data"]["train"][1]["leave_out"] = ["garag"]
    document["data"]["leave_out"] = ["painte"]
    document["origins"]["garage"] = {"origin": "our own", "licence": "CC0"}
    assert faults_of(document, painted, tmp_path) == [
        f"{painted / 'photos.csv'}: no photo is from 'garag', which leave_out names; did you mean `garage`?",
        "data.leave_out names 'painte', which no photo is from; did you mean `painted`?",
    ]
    document["data"]["leave_out"] = []
    document["data"]["train"][1]["leave_out"] = ["garage", "street"]
    assert faults_of(document, painted, tmp_path) == [f"{painted / 'photos.csv'}: no photo of split `train`"]


def test_a_set_whose_photos_all_have_its_files_name_can_be_left_out(tmp_path: Path) -> None:
    write_labelled(tmp_path / "mine", [["dent"]] * 4)
    write_labelled(tmp_path / "other", [["dent"]] * 2)
    document = toy_document(origins={"mine": {"origin": "our own", "licence": "CC0"}})
    document["data"] |= {"train": [{"dataset": "mine"}, {"dataset": "other"}], "val": [], "leave_out": ["other"]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(document))
    checked = check_recipe(
        tmp_path / "recipe.yaml", data=tmp_path, output=tmp_path / "run", start=None, resume=False, settings=Settings()
    )
    assert (checked.faults, checked.taught) == ([], 4)


def test_labels_of_pictures_as_they_are_stored_are_read_as_such(tmp_path: Path) -> None:
    """EXIF's 6: labels of pictures upright would not fit."""
    write_labelled(tmp_path / "mine", [["dent"]] * 4)
    labels = json.loads((tmp_path / "mine" / "labels.json").read_text())
    turned = Image.Exif()
    turned[0x0112] = 6
    for number, image in enumerate(labels["images"]):
        Image.new("RGB", (60, 40)).save(tmp_path / "mine" / f"{number}.jpg", exif=turned)
        image |= {"file_name": f"{number}.jpg", "width": 60, "height": 40}
    (tmp_path / "mine" / "labels.json").write_text(json.dumps(labels))
    document = toy_document(origins={"mine": {"origin": "our own", "licence": "CC0"}})
    document["data"] |= {"train": [{"dataset": "mine", "frame": "stored"}], "val": []}
    assert faults_of(document, tmp_path, tmp_path) == []
    del document["data"]["train"][0]["frame"]
    assert "`--frame stored` turns them" in faults_of(document, tmp_path, tmp_path)[0]


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


def quantised_onnx() -> bytes:
    """The tiny network, one of its outputs rounded to 8 bits on the way."""
    model = onnx.load_from_string(tiny_onnx())
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array(0.1, np.float32), "step"))
    for node in graph.node:
        node.output[:] = ["exact" if name == "vehicle" else name for name in node.output]
    graph.node.append(helper.make_node("QuantizeLinear", ["exact", "step"], ["rounded"]))
    graph.node.append(helper.make_node("DequantizeLinear", ["rounded", "step"], ["vehicle"]))
    data: bytes = model.SerializeToString()
    return data


@pytest.mark.parametrize("kind", ["of two", "in 8 bits", "of one"])
def test_a_bundle_that_no_run_can_begin_with_is_a_fault(kind: str, painted: Path, tmp_path: Path) -> None:
    """It may teach."""
    manifest = tiny_manifest()
    networks = [manifest["networks"][0] | {"file": name} for name in ("tiny.onnx", "other.onnx")][: 2 if kind == "of two" else 1]
    if kind == "of two":
        manifest["roles"]["parts"][0]["file"] = "other.onnx"
    network = quantised_onnx() if kind == "in 8 bits" else tiny_onnx()
    changed = Manifest.model_validate(manifest | {"networks": networks})
    bundle = write_bundle(tmp_path / "bundle", changed, {one["file"]: network for one in networks})
    told = {
        "of two": [f"{bundle}: has 2 networks; a run begins with a bundle of one"],
        "in 8 bits": [f"{bundle}: computes in 8 bits; begin with the bundle that it was made of"],
        "of one": [],
    }[kind]
    assert faults_of(toy_document(), painted, tmp_path, start=str(bundle)) == told
    assert faults_of(toy_document(distil={"teacher": str(bundle)}), painted, tmp_path) == []
    write_labelled(tmp_path / "mine", [["dent"]] * 14)
    checked = check_labels(
        [tmp_path / "mine"],
        output=tmp_path / "run",
        data=tmp_path,
        labels=None,
        start=str(bundle),
        resume=False,
        settings=Settings(),
    )
    assert checked.faults == told
    if told:
        with pytest.raises(ConfigError, match=re.escape(told[0])):
            decided([tmp_path / "mine"], tmp_path, start=str(bundle))


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
