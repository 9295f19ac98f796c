"""Training end to end on a handful of painted photos: it learns, stops, goes on, and becomes a bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

import dentify
from dentify.errors import ConfigError, DatasetError, ImageError
from dentify.training import export_bundle, read_recipe, train
from dentify.training.loop import Lesson, average_weights, moving_average, rate_at
from dentify.training.recipe import Recipe

# Lightning and torch warn of things that tests do on purpose: few workers, few batches, folders that exist.
pytestmark = pytest.mark.filterwarnings("ignore")

LEVELS = ("minor", "moderate", "severe")


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos with blue dents and green hail marks, parts, and grey ones without anything, with their labels."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    images, annotations = [], []
    names = {"dent": 1, "hail_mark": 2, "hood": 3}
    for number in range(24):
        picture = rng.integers(90, 130, (64, 64, 3)).astype(np.uint8)
        x, y = (int(value) for value in rng.integers(4, 36, 2))
        kind = ("dent", "hail_mark", "hood")[number % 3]
        colour = {"dent": (255, 0, 0), "hail_mark": (0, 255, 0), "hood": (0, 0, 255)}[kind]
        picture[y : y + 20, x : x + 20] = colour
        cv2.imwrite(str(root / f"{number}.png"), picture)
        labelled = ["hood"] if kind == "hood" else ["dent", "hail_mark"]
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": 64, "height": 64, "labelled": labelled, "source": "painted"}
        )
        outline = [[x, y, x + 20, y, x + 20, y + 20, x, y + 20]]
        annotations.append(
            {"id": number, "image_id": number, "category_id": names[kind], "bbox": [x, y, 20, 20], "area": 400, "iscrowd": 0}
            | {"segmentation": outline, "severity": LEVELS[number % 2]}
        )
    document = {"images": images, "annotations": annotations, "categories": [{"id": i, "name": n} for n, i in names.items()]}
    (root / "train.json").write_text(json.dumps(document))
    (root / "val.json").write_text(json.dumps(document))
    rows = ["file,source,split"]
    for number in range(8):
        cv2.imwrite(str(root / f"grey{number}.png"), rng.integers(90, 130, (64, 64, 3)).astype(np.uint8))
        rows.append(f"grey{number}.png,{'street' if number % 2 else 'garage'},{'train' if number < 6 else 'val'}")
    (root / "photos.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    document = {
        "name": "tiny",
        "description": "A tiny network for tests.",
        "model": {"name": "efficientnet_fpn", "encoder": "tf_efficientnet_b0", "width": 8, "fine_width": 8},
        "classes": {"damage": ["dent", "hail_mark"], "parts": ["hood"]},
        "data": {
            "size": 64,
            "serve_size": 64,
            "workers": 0,
            "hold_out": 0.3,
            "mosaic": 0.3,
            "paste": 0.5,
            "train": [
                {"coco": "train.json", "images": ".", "per_batch": 3},
                {"photos": "photos.csv", "per_batch": 1, "vehicle": True, "damage": False},
                {"photos": "photos.csv", "per_batch": 1, "vehicle": False, "damage": False, "leave_out": ["garage"]},
            ],
            "val": [{"coco": "val.json", "images": "."}],
        },
        "schedule": {"steps": 8, "round": 4, "validate_every": 1, "warmup": 2, "rate": 0.01, "encoder_rate": 0.001},
        "origins": {name: {"origin": "painted by a test", "licence": "CC0 1.0"} for name in ("painted", "street", "garage")},
    }
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(yaml.safe_dump(document))
    return read_recipe(path)


@pytest.fixture(scope="session")
def run(painted: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one whole run."""
    folder = tmp_path_factory.mktemp("run")
    train(recipe, data=painted, output=folder)
    return folder


def test_a_run_leaves_checkpoint_recipe_and_figures(run: Path, recipe: Recipe) -> None:
    assert Recipe.model_validate(yaml.safe_load((run / "recipe.yaml").read_text())) == recipe
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8]
    assert {"iou/dent", "iou/mean", "iou/any", "iou/parts", "damage/right/1", "loss"} <= set(lines[0])
    assert torch.load(run / "last.ckpt", weights_only=False)["global_step"] == 8


def test_a_killed_run_goes_on_as_if_nothing_had_been(
    painted: Path, recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = recipe.schedule.model_copy(update={"steps": 12, "validate_every": 2})
    long = recipe.model_copy(update={"schedule": schedule})
    path = tmp_path / "long.yaml"
    path.write_text(yaml.safe_dump(long.model_dump(mode="json")))
    killed = tmp_path / "killed" / "last.ckpt"
    command = [sys.executable, "-m", "dentify", "train", str(path), "--data", str(painted), "-o", str(killed.parent)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not killed.is_file():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    taken = torch.load(killed, weights_only=False)["global_step"]
    assert 4 <= taken < 12
    capsys.readouterr()
    train(long, data=painted, output=killed.parent, resume=killed)
    assert [int(line.split()[1]) for line in capsys.readouterr().err.splitlines() if line.startswith("step")] == [
        step for step in (8, 12) if step > taken
    ]
    train(long, data=painted, output=tmp_path / "whole")
    in_one, in_two = (torch.load(tmp_path / name / "last.ckpt", weights_only=False) for name in ("whole", "killed"))
    assert in_one["global_step"] == in_two["global_step"] == 12
    for name, value in in_one["state_dict"].items():
        assert torch.allclose(value.float(), in_two["state_dict"][name].float(), rtol=1e-3, atol=1e-5), name


def test_labels_are_taught_alone_and_averaged_with_what_was(
    run: Path, painted: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_bfloat16 = []
    step = Lesson.training_step

    def watched(lesson: Lesson, batch: dict[str, torch.Tensor], index: int) -> torch.Tensor:
        in_bfloat16.append(torch.is_autocast_enabled("cpu"))
        return step(lesson, batch, index)

    monkeypatch.setattr(Lesson, "training_step", watched)
    schedule = recipe.schedule.model_copy(update={"steps": 12})
    model = recipe.model.model_copy(update={"only_labels": True})
    taught = tmp_path / "labels"
    train(recipe.model_copy(update={"schedule": schedule, "model": model}), data=painted, output=taught, resume=run / "last.ckpt")
    before, after = (torch.load(folder / "last.ckpt", weights_only=True)["state_dict"] for folder in (run, taught))
    changed = {name for name, value in before.items() if not torch.allclose(value.float(), after[name].float(), atol=1e-6)}
    assert changed
    assert all(name.startswith("network.photo.") for name in changed)
    assert in_bfloat16
    assert not any(in_bfloat16)  # what serves computes in single precision

    averaged = average_weights(before, [taught / "last.ckpt"])
    for name in changed:
        assert torch.allclose(averaged[name], (before[name] + after[name]) / 2, atol=1e-6)
    wider = recipe.model_copy(update={"model": recipe.model.model_copy(update={"width": 16})})
    with pytest.raises(ConfigError, match="is of another network than the checkpoint that it is to be averaged with"):
        average_weights(Lesson(wider, None).state_dict(), [taught / "last.ckpt"])


def test_a_run_begins_with_the_mean_of_several(run: Path, painted: Path, recipe: Recipe, tmp_path: Path) -> None:
    def longer(**changes: object) -> Recipe:
        schedule = recipe.schedule.model_copy(update={"steps": 12})
        return recipe.model_copy(update={"schedule": schedule, "model": recipe.model.model_copy(update=changes)})

    other, labels = tmp_path / "other", tmp_path / "labels"
    train(longer(), data=painted, output=other, resume=run / "last.ckpt")
    train(
        longer(only_labels=True),
        data=painted,
        output=labels,
        resume=run / "last.ckpt",
        average_with=[other / "last.ckpt"],
    )
    one, two, mean = (torch.load(folder / "last.ckpt", weights_only=True)["state_dict"] for folder in (run, other, labels))
    maps = [name for name in one if not name.startswith("network.photo.") and one[name].is_floating_point()]
    assert any(not torch.allclose(one[name], two[name], atol=1e-4) for name in maps)
    for name in maps:
        assert torch.allclose(mean[name], (one[name] + two[name]) / 2, atol=1e-5), name
    with pytest.raises(ConfigError, match="--average-with averages with the checkpoint of --from"):
        train(longer(), data=painted, output=tmp_path / "anew", average_with=[other / "last.ckpt"])
    assert not (tmp_path / "anew").exists()


def test_an_exported_run_assesses_photos(run: Path, painted: Path, tmp_path: Path) -> None:
    bundle = export_bundle(run / "last.ckpt", tmp_path / "bundle")
    assessor = dentify.load(bundle)
    answer = assessor.assess(painted / "0.png", gates=False)
    assert answer.bundle.name == "tiny"
    assert set(answer.not_judged) >= {"crack", "tire_flat"}
    manifest = assessor.bundle.manifest
    assert manifest.metrics["parity"]["largest_difference"] < 1e-3  # type: ignore[index, operator, call-overload]
    assert {source.name for source in manifest.data} == {"painted", "street", "garage"}


def test_a_photo_source_without_origin_is_not_exported(run: Path, painted: Path, tmp_path: Path) -> None:
    nameless = tmp_path / "run"
    nameless.mkdir()
    document = yaml.safe_load((run / "recipe.yaml").read_text()) | {"origins": {}}
    (nameless / "recipe.yaml").write_text(yaml.safe_dump(document))
    (nameless / "last.ckpt").write_bytes((run / "last.ckpt").read_bytes())
    with pytest.raises(ConfigError, match="`origins` says nothing of garage, painted, street"):
        export_bundle(nameless / "last.ckpt", tmp_path / "bundle", data=painted)
    assert not (tmp_path / "bundle").exists()


def test_resuming_needs_a_checkpoint(painted: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint to resume; leave out --resume to start anew"):
        train(recipe, data=painted, output=tmp_path, resume=tmp_path / "last.ckpt")


def test_labels_alone_are_not_taught_to_a_random_network(painted: Path, recipe: Recipe, tmp_path: Path) -> None:
    model = recipe.model.model_copy(update={"only_labels": True})
    with pytest.raises(ConfigError, match="only_labels needs a trained network; say which with --from"):
        train(recipe.model_copy(update={"model": model}), data=painted, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten_by_another(run: Path, painted: Path, recipe: Recipe) -> None:
    before = (run / "recipe.yaml").read_bytes()
    with pytest.raises(ConfigError, match="holds a run already; go on with --resume, or give the new one another folder with -o"):
        train(recipe.model_copy(update={"seed": 1}), data=painted, output=run)
    assert (run / "recipe.yaml").read_bytes() == before


def test_a_checkpoint_of_another_network_is_refused(run: Path, painted: Path, recipe: Recipe, tmp_path: Path) -> None:
    wider = recipe.model_copy(update={"model": recipe.model.model_copy(update={"width": 16})})
    with pytest.raises(ConfigError, match="is of another network than the recipe's"):
        train(wider, data=painted, output=tmp_path, resume=run / "last.ckpt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_checkpoint_is_one_line(run: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recipe.yaml").write_bytes((run / "recipe.yaml").read_bytes())
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(ConfigError, match="is no checkpoint of `dentify train`"):
        export_bundle(tmp_path / "last.ckpt", tmp_path / "bundle", data=run)


def test_sources_without_origin_are_told_before_training(painted: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`origins` says nothing of garage, painted, street"):
        train(recipe.model_copy(update={"origins": {}}), data=painted, output=tmp_path)


def test_missing_photos_are_told_before_training(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        train(recipe, data=tmp_path, output=tmp_path / "run")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_photo_is_one_line_in_whatever_process(painted: Path, recipe: Recipe, tmp_path: Path, workers: int) -> None:
    copy = tmp_path / "photos"
    shutil.copytree(painted, copy)
    for photo in copy.glob("*.png"):
        photo.write_bytes(photo.read_bytes()[:-60])
    broken = recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": workers})})
    with pytest.raises(ImageError, match=r"^\w+\.png: this PNG is [^\n]*$"):
        train(broken, data=copy, output=tmp_path / "run")


def test_the_rate_warms_up_stays_and_falls(recipe: Recipe) -> None:
    plan = recipe.model_copy(update={"schedule": recipe.schedule.model_copy(update={"steps": 100, "warmup": 10, "decay": 0.2})})
    assert [round(rate_at(step, plan), 2) for step in (0, 9, 10, 79, 90, 100)] == [0.1, 1.0, 1.0, 1.0, 0.5, 0.0]


def test_the_average_forgets_the_start_quickly() -> None:
    average = moving_average(0.999)
    value = torch.zeros(1)
    for step in range(50):
        value = average(value, torch.ones(1), step)
    assert value > 0.99
