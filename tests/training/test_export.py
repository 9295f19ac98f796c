"""From a toy run's checkpoint to a bundle that assesses: only what was taught, and only if ONNX says what torch says."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

import dentify
import toy_bench
from dentify.bundle import Bundle
from dentify.errors import BundleError, ConfigError, DatasetError, OutputError
from dentify.runtime.session import Session
from dentify.settings import Settings
from dentify.training import export_bundle, train
from dentify.training.as_onnx import Parity
from dentify.training.checkpoints import read_checkpoint, write_checkpoint
from dentify.training.export import complete
from dentify.training.recipe import Recipe, read_recipe
from painted_cars import everything
from tiny_tables import table_bundle
from toy_bench import ToyNetwork, ToyRecipe, toy_document, toy_recipe

PHASES = [{"steps": 2, "size": toy_bench.SIDE, "precision": "32"}]
DAMAGE_ALONE = {"train": [{"dataset": "damage.json", "images": ".", "per_batch": 4}], "val": []}


@pytest.fixture(scope="session")
def bundle(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the toy run."""
    return export_bundle(run / "last.ckpt", tmp_path_factory.mktemp("bundle") / "toy", recipe=toy_recipe(), version="2.0.0")


@pytest.fixture(scope="session")
def outlines(painted: Path) -> Path:
    """The same photos with outlines of damage and nothing else: no parts, no severity, no sound car, nothing without a car."""
    document = json.loads((painted / "train.json").read_text())
    hoods = {row["image_id"] for row in document["annotations"] if row["category_id"] == 3}
    document["images"] = [row | {"labelled": ["dent", "hail_mark"]} for row in document["images"] if row["id"] not in hoods]
    document["annotations"] = [
        {key: value for key, value in row.items() if key != "severity"}
        for row in document["annotations"]
        if row["image_id"] not in hoods
    ]
    (painted / "damage.json").write_text(json.dumps(document))
    return painted


def trained(recipe: Recipe, data: Path, folder: Path) -> Path:
    return train(recipe, data=data, output=folder)


# What a bundle holds


def test_an_exported_run_assesses_photos(bundle: Path, painted: Path) -> None:
    assessor = dentify.load(bundle)
    answer = assessor.assess(painted / "0.png", gates=False)
    assert (answer.bundle.name, answer.bundle.version) == ("toy", "2.0.0")
    assert set(answer.not_judged) >= {"crack", "tire_flat"}
    assert answer.vehicle is not None
    assert answer.damage is not None


def test_a_manifest_tells_roles_classes_data_and_parity(bundle: Path) -> None:
    manifest = Bundle.open(bundle).manifest
    outputs = {role: [(member.output, member.kind) for member in members] for role, members in manifest.roles if members}
    assert outputs == {
        "vehicle_gate": [("vehicle", "labels")],
        "damage_gate": [("damage", "labels")],
        "damage": [("types", "maps")],
        "parts": [("parts", "maps")],
        "severity": [("severity_maps", "maps"), ("severity", "labels")],
    }
    assert manifest.roles.damage[0].auxiliary == {"any": "any", "centres": "centres", "offsets": "offsets"}
    assert manifest.classes.damage == ("dent", "hail_mark")
    assert manifest.classes.severity == ("minor", "moderate")  # no photo is severe
    assert {source.name for source in manifest.data} == {"painted", "street", "garage"}
    assert manifest.metrics["parity"]["largest_difference"] <= 1e-3
    assert manifest.metrics["parity"]["photos"] >= 5
    assert manifest.networks[0].preprocessing.mean == ToyNetwork.mean


def test_a_bundles_weights_are_the_averaged_ones(run: Path, bundle: Path, painted: Path) -> None:
    files = Bundle.open(bundle).files
    session = Session(files["network.onnx"], input_name="image", output_names=["types"], where="x")
    state = read_checkpoint(run / "last.ckpt")
    heads = toy_recipe().build_heads()
    network = ToyNetwork(ToyRecipe(), {name: head.output for name, head in heads.items()})
    network.load_state_dict(state.average)
    picture = torch.randn(1, 3, toy_bench.SIDE, toy_bench.SIDE)
    assert np.allclose(session.run(picture.numpy())["types"], network(picture)["types"].detach(), atol=1e-4)


def test_checkpoints_are_averaged_into_one_bundle(run: Path, painted: Path, tmp_path: Path) -> None:
    other = trained(toy_recipe(seed=1), painted, tmp_path / "other")
    done = export_bundle(run / "last.ckpt", tmp_path / "mean", recipe=toy_recipe(), average_with=[other])
    assert (
        Bundle.open(done).files["network.onnx"]
        != Bundle.open(export_bundle(run / "last.ckpt", tmp_path / "alone", recipe=toy_recipe())).files["network.onnx"]
    )


def test_the_same_checkpoint_gives_the_same_bundle(run: Path, bundle: Path, tmp_path: Path) -> None:
    again = export_bundle(run / "last.ckpt", tmp_path / "toy", recipe=toy_recipe(), version="2.0.0")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in bundle.iterdir()
    }


# What was never taught is never told


def test_a_recipe_of_damage_outlines_alone_judges_damage_alone(outlines: Path, tmp_path: Path) -> None:
    """With all nine heads in the recipe: no photo says anything of the others."""
    recipe = toy_recipe(data=toy_document()["data"] | DAMAGE_ALONE, phases=PHASES)
    checkpoint = trained(recipe, outlines, tmp_path / "run")
    done = export_bundle(checkpoint, tmp_path / "bundle", recipe=recipe)
    manifest = Bundle.open(done).manifest
    assert [role for role, members in manifest.roles if members] == ["damage"]
    assert (manifest.taxonomy.parts, manifest.taxonomy.severity_levels) == ((), ())
    card = (done / "MODEL_CARD.md").read_text()
    never = "whether there is a vehicle, whether it is damaged, parts of the vehicle, severity"
    assert f"Not judged, and told as such: {never}." in card
    answer = dentify.load(done).assess(outlines / "0.png", score_threshold=0.01)
    document = json.loads(answer.to_json())
    assert (document["vehicle"], document["damage"], document["severity"], document["parts"]) == (None, None, None, [])
    assert "whether this is a vehicle and how bad the damage is" in answer.report.splitlines()[-1]
    assert all(finding.severity is None and finding.parts == () for finding in answer.findings)


def test_instances_are_fitted_to_held_out_photos(tmp_path: Path) -> None:
    """A doubtful dent that is never right is told no more."""
    fitted = complete(table_bundle(tmp_path / "table"), everything(), Parity(1, 0.0, None), seed=0, on_photo=lambda _: None)
    held_out = fitted.metrics["held_out"]
    assert isinstance(held_out, dict)
    assert held_out["dent/AP50"] == 1.0
    assert set(fitted.calibration.findings) == set(fitted.classes.damage)
    assert "thresholds of scratch, broken_part stay: fewer than 5 are annotated" in fitted.notes


def test_a_held_out_photo_that_is_cut_off_is_told_and_not_passed_over(tmp_path: Path) -> None:
    first, *others = everything()
    cut = replace(first, image=first.read(Settings())[:80])
    with pytest.raises(DatasetError, match="is cut off"):
        complete(table_bundle(tmp_path / "table"), [*others, cut], Parity(1, 0.0, None), seed=0, on_photo=lambda _: None)


def test_a_type_that_no_photo_shows_is_not_told(painted: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(classes={"damage": ["scratch", "dent", "hail_mark"], "parts": ["hood", "roof"]}, phases=PHASES)
    manifest = Bundle.open(export_bundle(trained(recipe, painted, tmp_path / "run"), tmp_path / "b", recipe=recipe)).manifest
    assert manifest.classes.damage == ("dent", "hail_mark")
    assert "scratch" in manifest.not_judged
    assert manifest.classes.parts == ("hood",)
    assert manifest.roles.damage[0].auxiliary.keys() == {"any", "centres", "offsets"}


def test_a_type_that_does_not_hold_is_taught_and_not_told(run: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(review={"not_told": ["hail_mark"]})
    manifest = Bundle.open(export_bundle(run / "last.ckpt", tmp_path / "b", recipe=recipe)).manifest
    assert manifest.classes.damage == ("dent",)
    assert "hail_mark" in manifest.not_judged


def test_a_head_whose_loss_weighs_nothing_is_not_told(painted: Path, tmp_path: Path) -> None:
    heads = toy_bench.toy_heads()
    heads["parts"] |= {"weight": 0}
    recipe = toy_recipe(heads=heads, phases=PHASES)
    done = export_bundle(trained(recipe, painted, tmp_path / "run"), tmp_path / "b", recipe=recipe)
    assert Bundle.open(done).manifest.roles.parts == ()


def test_a_run_that_taught_nothing_makes_no_bundle(run: Path, tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(run, tmp_path / "run")) / "last.ckpt"
    write_checkpoint(checkpoint, replace(read_checkpoint(checkpoint), taught={}))
    recipe = toy_recipe()
    with pytest.raises(ConfigError, match="taught nothing that the bundle could tell"):
        export_bundle(checkpoint, tmp_path / "bundle", recipe=recipe)
    assert not (tmp_path / "bundle").exists()


# ONNX beside torch


class Drifting(ToyNetwork):
    """Another network when it is exported: what a faulty exporter would do."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        told = super().forward(images)
        return {name: value + 0.01 for name, value in told.items()} if torch.compiler.is_exporting() else told


class DriftingRecipe(ToyRecipe):
    """Builds it."""

    def build(self, outputs: Any, root: Path | None) -> Drifting:
        return Drifting(self, outputs)


def test_a_network_that_onnx_answers_differently_is_not_exported(painted: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(model=DriftingRecipe(), phases=PHASES)
    checkpoint = trained(recipe, painted, tmp_path / "run")
    with pytest.raises(BundleError, match=r"the ONNX file differs from torch: logits by up to 0\.01"):
        export_bundle(checkpoint, tmp_path / "bundle", recipe=recipe)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("name", "head", "told"),
    [
        ("parts", {"kind": "exclusive", "of": "parts"}, "parts"),
        ("severity", {"kind": "labels", "of": "severity"}, "severity"),
    ],
)
def test_one_head_alone_is_enough(painted: Path, tmp_path: Path, name: str, head: dict[str, Any], told: str) -> None:
    recipe = toy_recipe(heads={name: head}, phases=PHASES)
    done = export_bundle(trained(recipe, painted, tmp_path / "run"), tmp_path / "bundle", recipe=recipe)
    assert [role for role, members in Bundle.open(done).manifest.roles if members] == [told]
    answer = dentify.load(done).assess(painted / "0.png")
    assert (answer.vehicle, answer.damage, answer.findings) == (None, None, ())
    assert (answer.severity is not None) == (told == "severity")


# What is refused


def test_a_photo_source_without_origin_is_not_exported(run: Path, painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`origins` says nothing of garage, painted, street"):
        export_bundle(run / "last.ckpt", tmp_path / "bundle", recipe=toy_recipe(origins={}))
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_that_is_there_stays_unless_asked_for(run: Path, bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "toy"
    shutil.copytree(bundle, copy)
    with pytest.raises(OutputError, match="exists already"):
        export_bundle(run / "last.ckpt", copy, recipe=toy_recipe())
    assert export_bundle(run / "last.ckpt", copy, recipe=toy_recipe(), version="3.0.0", overwrite=True) == copy
    assert Bundle.open(copy).manifest.version == "3.0.0"


@pytest.mark.parametrize(
    ("missing", "message"),
    [("recipe.yaml", "the run's recipe.yaml must lie beside it"), ("data.txt", "say where its photos are with --data")],
)
def test_a_checkpoint_without_its_run_is_one_line(run: Path, tmp_path: Path, missing: str, message: str) -> None:
    for name in {"last.ckpt", "recipe.yaml", "data.txt"} - {missing}:
        shutil.copy(run / name, tmp_path / name)
    recipe = None if missing == "recipe.yaml" else toy_recipe()
    with pytest.raises(ConfigError, match=message):
        export_bundle(tmp_path / "last.ckpt", tmp_path / "bundle", recipe=recipe)


def test_a_recipe_of_another_version_is_one_line(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "last.ckpt", tmp_path / "last.ckpt")
    (tmp_path / "recipe.yaml").write_text("name: toy\nlosses: {}\n")
    with pytest.raises(ConfigError, match=r"recipe\.yaml: unknown key `losses`"):
        export_bundle(tmp_path / "last.ckpt", tmp_path / "bundle")


def test_export_needs_photos_to_compare_with(painted: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(data=toy_document()["data"] | {"hold_out": 0.0}, phases=PHASES)
    checkpoint = trained(recipe, painted, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"data\.hold_out keeps no photo to compare and fit with; raise it"):
        export_bundle(checkpoint, tmp_path / "bundle", recipe=recipe)


def test_weights_that_are_not_the_networks_are_refused(run: Path, tmp_path: Path) -> None:
    state = read_checkpoint(run / "last.ckpt")
    for name in ("recipe.yaml", "data.txt"):
        shutil.copy(run / name, tmp_path / name)
    fewer = {name: value for name, value in state.average.items() if "stem" not in name}
    write_checkpoint(tmp_path / "last.ckpt", type(state)(**vars(state) | {"average": fewer}))
    with pytest.raises(ConfigError, match="is of another network than the recipe's"):
        export_bundle(tmp_path / "last.ckpt", tmp_path / "bundle", recipe=toy_recipe())


def test_a_classifier_with_adapters_tells_types_of_the_photo_as_a_whole(painted: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="needs the extra `train`")
    document = toy_document(
        model={
            "name": "timm_classifier",
            "architecture": "test_convnext",
            "weights": None,
            "adapter": {"of": ["backbone.4"], "rank": 2},
        },
        heads={"kinds": {"kind": "labels", "of": "damage", "exclusive": True}},
        optimizers=[{"kind": "adamw", "of": ["head"], "rate": 0.01}, {"kind": "adamw", "rate": 0.01}],
        phases=[{"steps": 3, "size": toy_bench.SIDE, "train": ["backbone.4", "head"], "precision": "32"}],
    )
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(document))
    checkpoint = trained(read_recipe(path), painted, tmp_path / "run")
    bundle = export_bundle(checkpoint, tmp_path / "bundle")
    manifest = Bundle.open(bundle).manifest
    assert [member.output for member in manifest.roles.types] == ["kinds"]
    assert (manifest.classes.types, manifest.classes.damage) == (("dent", "hail_mark"), ())
    assert manifest.calibration.types.exclusive
    assert set(manifest.metrics["parity"]) == {"photos", "largest_difference"}  # no map, so no mask that could agree
    answer = dentify.load(bundle).assess(painted / "0.png")
    assert answer.types is not None
    assert {one.type for one in answer.types} <= {"dent", "hail_mark"}
    assert answer.findings == ()
    state = read_checkpoint(checkpoint)
    signs = {name: -1 if "lora_A" in name or "lora_B" in name else 1 for name in state.average}
    same = {name: value * signs[name] for name, value in state.average.items()}  # of both matrices: the product stays
    write_checkpoint(tmp_path / "same.ckpt", replace(state, average=same))
    mean = export_bundle(checkpoint, tmp_path / "mean", average_with=[tmp_path / "same.ckpt"])
    picture = np.random.default_rng(0).normal(size=(1, 3, toy_bench.SIDE, toy_bench.SIDE)).astype(np.float32)
    alone, averaged = (
        Session(Bundle.open(one).files["network.onnx"], input_name="image", output_names=["kinds"], where="x").run(picture)
        for one in (bundle, mean)
    )
    assert np.allclose(alone["kinds"], averaged["kinds"], atol=1e-5)
