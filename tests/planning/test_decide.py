"""What a look at labelled photos decides: types, splits, heads, steps, and a recipe that says so."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import yaml

from dentify.errors import ConfigError
from dentify.planning import RANDOM, Decided, check_labels, check_recipe, decide, look, write_decided
from dentify.settings import Settings
from labelled_squares import SIDE, decided, noise, write_labelled


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


def test_photos_that_no_split_names_are_trained_on_and_do_not_judge(tmp_path: Path) -> None:
    write_labelled(tmp_path / "mine", [["dent"]] * 20)
    rows = [f"{number}.png,{'train' if number < 12 else 'val'},\n" for number in range(16)]
    (tmp_path / "mine" / "splits.csv").write_text("".join(["file,split,group\n", *rows]))
    done = decided([tmp_path / "mine"], tmp_path, start=RANDOM)
    assert "16 photos to train on, 4 to judge by (as the labels say)" in done.why
    assert done.photos == 20


@pytest.mark.parametrize(("name", "photos"), [("three", 1), ("few", 2), ("test", 14)], ids=["one held out", "two", "a test set"])
def test_a_set_of_which_nothing_is_left_to_train_on_or_to_judge_by_is_not_named_there(
    name: str, photos: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training refuses sets without a photo."""
    monkeypatch.setattr("dentify.planning.check._PACKAGES", ())  # whether it is installed does not matter here
    write_labelled(tmp_path / "mine", [["dent"]] * 20)
    write_labelled(tmp_path / name, [["dent"]] * photos)
    done = decided([tmp_path / "mine", tmp_path / name], tmp_path, start=RANDOM)
    data = yaml.safe_load(done.recipe)["data"]
    learns = photos == 2
    assert [one["dataset"] for one in data["train"]] == (["mine", name] if learns else ["mine"])
    assert [one["dataset"] for one in data["val"]] == ["mine"]
    assert any(f"{name}: no photo of it is left to train on" in line for line in done.why) is not learns
    recipe = write_decided(done, tmp_path / "run")
    faults = check_recipe(recipe, data=tmp_path, output=tmp_path / "new", start=None, resume=False, settings=Settings()).faults
    assert faults == []


@pytest.mark.parametrize("whole", [(False, False), (True, False), (False, True), (True, True)])
def test_the_share_to_hold_out_is_the_same_however_paths_are_typed(
    whole: tuple[bool, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training deals photos out by their paths below the folder of the data."""
    monkeypatch.chdir(tmp_path)
    write_labelled(tmp_path / "deep" / "d30", [["dent"]] * 30)
    photos, data = (tmp_path / path if is_whole else Path(path) for path, is_whole in zip(("deep/d30", "."), whole, strict=True))
    done = decide(look([photos]), output=Path("run"), data=data, start=RANDOM)
    assert yaml.safe_load(done.recipe)["data"]["hold_out"] == 0.35


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


def test_a_recipe_and_what_it_names_are_written_where_no_run_is(photos: Path, tmp_path: Path) -> None:
    done = decided_random(photos, tmp_path)
    assert write_decided(done, tmp_path / "run").read_text() == done.recipe
    assert (tmp_path / "run" / "splits.csv").read_bytes() == done.files["splits.csv"]
    (tmp_path / "run" / "last.ckpt").touch()
    with pytest.raises(ConfigError, match="run: holds a run already; go on with --resume"):
        write_decided(done, tmp_path / "run")


@pytest.mark.parametrize("name", ["recipe.yaml", "splits.csv"])
def test_another_recipe_and_other_splits_are_not_replaced(
    name: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same ones are: a run that ended before its first checkpoint left them."""
    monkeypatch.setattr("dentify.planning.check._PACKAGES", ())  # whether it is installed does not matter here

    def faults() -> list[str]:
        run, labels = tmp_path / "run", tmp_path / "labels.yaml"
        return check_labels(
            [photos], output=run, data=tmp_path, labels=labels, start=RANDOM, resume=False, settings=Settings()
        ).faults

    done = decided([photos], tmp_path, labels=tmp_path / "labels.yaml", start=RANDOM, name="run")
    write_decided(done, tmp_path / "run")
    assert write_decided(done, tmp_path / "run").read_text() == done.recipe
    assert faults() == []
    (tmp_path / "run" / name).write_text("edited\n")
    with pytest.raises(ConfigError, match=rf"{name}: is there already, and is not what would be written; move it away"):
        write_decided(done, tmp_path / "run")
    assert (tmp_path / "run" / name).read_text() == "edited\n"
    assert [f"{name}: is there already" in line for line in faults()] == [True]


def test_planning_loads_no_pytorch() -> None:
    code = "import sys, dentify.planning, dentify.cli.train; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
