"""Recipes: one strict YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")


import yaml

from dentify.errors import ConfigError
from dentify.planning import find_recipe, recipe_names
from dentify.taxonomy import DAMAGE_NAMES
from dentify.training.recipe import Distil, PhotoSet, Recipe, Schedule, changed, in_steps, read_recipe, write_recipe
from toy_bench import toy_document

RECIPES = [find_recipe(name) for name in recipe_names()]
DEFAULT = find_recipe("default")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_recipe_of_the_project_is_valid(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name
    assert recipe.steps == sum(phase.steps for phase in recipe.phases)
    assert list(recipe.build_heads()) == list(recipe.heads)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    recipe = read_recipe(DEFAULT, ("search={phases.0.mosaic: [0, 1], optimizers.0.rate: [1e-5, 0.1, log]}", "tune.goal=lowest"))
    (tmp_path / "recipe.yaml").write_bytes(write_recipe(recipe))
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


@pytest.mark.parametrize("change", ["name=''", "licence=''", "origins.bilgi.licence=''", f"name={'x' * 201}"])
def test_what_no_manifest_could_tell_is_refused_before_a_run(change: str) -> None:
    with pytest.raises(ConfigError, match=change.partition("=")[0]):
        read_recipe(DEFAULT, (change,))


def test_a_recipe_with_other_values_is_one_of_its_own() -> None:
    recipe = read_recipe(DEFAULT)
    other = changed(recipe, {"phases.0.steps": 7, "heads.parts.loss": {"lovasz": 2}})
    assert (other.phases[0].steps, other.heads["parts"].model_dump()["loss"]) == (7, {"lovasz": 2})
    assert changed(other, {"phases.0.steps": recipe.phases[0].steps, "heads.parts": recipe.heads["parts"].model_dump()}) == recipe
    with pytest.raises(ConfigError, match=r"^phases\.99\.steps: `phases\.99\.steps` is no place in this recipe"):
        changed(recipe, {"phases.99.steps": 7})
    with pytest.raises(ConfigError, match=r"unknown key `phases\[0\]\.stepps`; did you mean `steps`\?"):
        changed(recipe, {"phases.0.stepps": 7})


def test_the_default_recipes_heads_are_in_order_and_as_they_are_weighed() -> None:
    heads = read_recipe(DEFAULT).build_heads()
    assert {name: (head.role, head.auxiliary, head.weight) for name, head in heads.items()} == {
        "types": ("damage", None, 1.0),
        "any": ("damage", "any", 0.5),
        "centres": ("damage", "centres", 0.3),
        "offsets": ("damage", "offsets", 0.02),
        "parts": ("parts", None, 0.7),
        "severity_maps": ("severity", None, 0.1),
        "outline": ("damage", "vehicle", 0.3),
        "vehicle": ("vehicle_gate", None, 0.15),
        "vehicle_seen": ("vehicle_gate", None, 0.15),
        "damage": ("damage_gate", None, 0.15),
        "damage_seen": ("damage_gate", None, 0.3),
        "severity": ("severity", None, 0.1),
    }
    assert all(head.name == name for name, head in heads.items())
    assert list(heads["types"].names) == list(DAMAGE_NAMES)


def test_the_default_recipes_gates_judge_by_the_picture_and_by_places() -> None:
    heads = read_recipe(DEFAULT).build_heads()
    asked = {
        name: (head.output.features, head.output.pooled, head.output.within)
        for name, head in heads.items()
        if "gate" in head.role
    }
    assert asked == {
        "vehicle": (True, (), None),
        "vehicle_seen": (False, ("outline",), None),
        "damage": (True, (), None),
        "damage_seen": (False, ("any", "types"), "outline"),
    }


def test_a_teacher_is_asked_and_shown_what_the_default_network_is() -> None:
    """It begins with that network's weights, and its answers are compared with that network's."""
    default, teacher = (read_recipe(find_recipe(name)).model_dump() for name in ("default", "teacher"))
    for key in ("classes", "heads", "origins"):
        assert list(teacher[key].items()) == list(default[key].items()), key
    assert teacher["data"]["train"] == default["data"]["train"]
    assert {key: teacher["model"][key] for key in ("encoder", "width", "fine_width")} == {
        key: default["model"][key] for key in ("encoder", "width", "fine_width")
    }


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("default", (), {"efficientnet_b0_duts": "Apache-2.0"}),
        ("teacher", (), {"efficientnet_b0_duts": "Apache-2.0", "dinov2_vit_small": "Apache-2.0 (DINOv2), MIT (package)"}),
        ("convnext", (), {"convnext_tiny": "Apache-2.0"}),
        ("convnext", ("model.weights=weights/found.safetensors",), {"found": "not stated"}),
        ("convnext", ("model.weights=runs/convnext_atto/last.ckpt",), {}),
        ("vgg16", ("model.weights=null",), {}),
    ],
)
def test_weights_are_told_as_they_are_used(name: str, changes: tuple[str, ...], told: dict[str, str]) -> None:
    recipe = read_recipe(find_recipe(name), changes)
    assert {weights: origin.licence for weights, origin in recipe.model.origins_used.items()} == told


def test_features_are_learned_of_a_checkpoint_and_of_pictures() -> None:
    assert read_recipe(find_recipe("vgg16"), ("distil={teacher: bundles/teacher}",)).distil is not None
    with pytest.raises(ConfigError, match=r"distil: `features` need the checkpoint of a run \(\.ckpt\) as `teacher`"):
        read_recipe(find_recipe("vgg16"), ("distil={teacher: bundles/teacher, features: {of: backbone.1}}",))
    with pytest.raises(ConfigError, match=r"phases\.0\.bottleneck: features that are kept .* leave out `distil\.features`"):
        read_recipe(find_recipe("vgg16"), ("distil={teacher: last.ckpt, features: {of: backbone.1}}",))


@pytest.mark.parametrize(
    ("teacher", "name"),
    [("default", "default"), ("../bundles/mine.zip", "mine"), ("runs/large/last.ckpt", "large"), ("last.ckpt", "last")],
)
def test_a_teacher_is_called_by_its_file_or_its_run(teacher: str, name: str) -> None:
    assert Distil(teacher=teacher).teacher_name == name


def test_photos_of_which_nothing_is_known_need_a_teacher() -> None:
    unlabelled = "data.train.0={photos: lot, per_batch: 2}"
    with pytest.raises(ConfigError, match=r"data\.train\.0: nothing teaches by photos .* or name a teacher in `distil`"):
        read_recipe(find_recipe("default"), (unlabelled,))
    assert read_recipe(find_recipe("default"), (unlabelled, "distil={teacher: default}")).data.train[0].is_unlabelled
    with pytest.raises(ConfigError, match=r"data\.val\.0: nothing judges by photos of which nothing is known"):
        read_recipe(find_recipe("default"), ("data.val.0={photos: lot}", "distil={teacher: default}"))


def test_set_changes_a_key() -> None:
    changes = ("phases.0.steps=7", "data.train.0.per_batch=2", "review.weak_types=[]", "heads.parts.loss={lovasz: 2}")
    recipe = read_recipe(DEFAULT, changes)
    assert recipe.phases[0].steps == 7
    assert recipe.data.train[0].per_batch == 2
    assert recipe.review.weak_types == ()
    assert recipe.heads["parts"].model_dump()["loss"] == {"lovasz": 2}
    assert read_recipe(DEFAULT, ("augment.strength=0.5",)).augment.strength == 0.5  # a key that the file leaves out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("phases.0.stepps=7", ("stepps", "`steps`")),
        ("heads.parts.los=1", ("heads.parts", "los", "`loss`")),
        ("heads.parts.loss={dise: 1}", ("heads.parts.loss", "dise", "`dice`")),
        ("heads.parts.kind=exclusiv", ("heads.parts", "exclusiv", "`exclusive`")),
        ("heads.types.of=damages", ("heads.types.of", "`damage`")),
        ("heads.Types={kind: centres}", ("heads.Types",)),
        ("heads={}", ("heads",)),
        ("model.name=efficient_net", ("model", "efficientnet_fpn")),
        ("phases.0.steps=many", ("steps", "valid integer")),
        ("phases.0.size=100", ("size", "multiple of 32")),
        ("phases=[]", ("phases",)),
        ("optimizers=[]", ("optimizers",)),
        ("optimizers.0.rate=0", ("rate", "greater than 0")),
        ("augment.strength=3", ("augment.strength", "less than or equal to 2")),
        ("phases.0.per_batch=[1, 2]", ("phases.0.per_batch names 2 numbers for 13 sets of photos",)),
        ("heads.severity.class_weights=[1, 2]", ("heads.severity.class_weights names 2 numbers for 3 classes",)),
        ("heads.parts.class_weights=[1, 2]", ("heads.parts.class_weights names 2 numbers for 27 classes",)),
        ("heads.vehicle.class_weights=[1, 2]", ("heads.vehicle", "`class_weights` are of classes that exclude each other")),
        ("seed=-1", ("seed", "greater than or equal to 0")),
        ("heads.types.loss={}", ("heads.types.loss", "at least 1")),
        ("heads.types.loss={dice: -1}", ("heads.types.loss.dice", "greater than or equal to 0")),
        ("heads.types.stride=3", ("heads.types.stride", "1, 2, 4, 8, 16 or 32")),
        (
            "heads.severity_maps={kind: exclusive, of: severity, loss: {dice: 1}, class_weights: [1, 1, 1]}",
            ("`class_weights` are of the cross_entropy, which `loss` leaves out",),
        ),
        ("heads.more={kind: overlapping, of: damage}", ("heads.types and heads.more answer the same question",)),
        (f"phases.0.per_batch={[0] * 13}", ("phases.0.per_batch names no photo",)),
        (f"phases.0.per_batch={[-1] + [1] * 12}", ("phases[0].per_batch[0]", "greater than or equal to 0")),
        ("data.train.0.repeat={dnt: 2}", ("data.train.0.repeat names dnt", "did you mean `dent`?")),
        ("classes.damage=[dent, dent]", ("damage names dent twice",)),
        ("classes.severity=[moderate, minor]", ("severity takes minor, moderate, severe, in this order",)),
        ("heads.severity.exclusive=true", ("heads.severity", "`exclusive` is of damage alone")),
        ("heads.severity.smoothing=0.1", ("heads.severity", "`smoothing` is of answers with yes and no")),
        ("heads.severity.pooled=[types]", ("heads.severity", "`features` and `pooled` are of gates alone")),
        ("heads.vehicle={kind: labels, of: vehicle, features: false}", ("heads.vehicle", "needs maps in `pooled`")),
        ("heads.vehicle={kind: labels, of: vehicle, within: any}", ("heads.vehicle", "`within` says where", "names none")),
        (
            "heads.damage_seen.pooled=[typs]",
            ("heads.damage_seen looks at typs, which is no head of maps of yes and no", "`types`"),
        ),
        ("heads.damage_seen.within=vehicle", ("heads.damage_seen looks at vehicle, which is no head of maps of yes and no",)),
        ("heads.any.loss={boxes: 1}", ("heads.any", "`boxes` teach types alone")),
        ("heads.parts.stride=32", ("phases.1.size: a quarter of a mosaic holds whole cells of 32 pixels", "a multiple of 64")),
        ("data.train.0=x", ("data.train", "0")),
        ("review.weak_types=[rust]", ("review.weak_types names rust, which is not in classes.damage",)),
        ("review.not_told=[crakc]", ("review.not_told names crakc, which is not in classes.damage", "`crack`")),
        ("search={phases.0.mosaic: 0.2}", ("search.phases.0.mosaic", "write [low, high]")),
        ("search={search.a: [1, 2]}", ("search.search.a: is no key of what is trained",)),
        ("search={model: {any_of: [1, 2]}, model.width: [1, 2]}", ("search names model and, within it, model.width",)),
        ("tune.figures=[typs/mean]", ("tune.figures names typs/mean, which is no figure of a head", "`types`")),
        ("tune.figures=[types]", ("tune.figures names types, which is no figure of a head",)),
        ("tune.prune_after=0", ("tune.prune_after", "greater than or equal to 1")),
        ("phases.0.steps", ("--set phases.0.steps: write key=value",)),
        ("name.first=x", ("--set name.first=x: `name` holds a value, not keys",)),
        ("data.train.99.per_batch=2", ("--set data.train.99.per_batch=2: `data.train.99.per_batch` is no place in this recipe",)),
        ("data.train.first.per_batch=2", ("`data.train.first.per_batch` is no place in this recipe",)),
        ("phases.0.steps=[1", ("--set phases.0.steps=[1: '[1' is no YAML value",)),
    ],
)
def test_a_wrong_change_says_what_to_write(change: str, told: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_recipe(DEFAULT, (change,))
    message = str(caught.value)
    assert all(part in message for part in told), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "is not YAML"), ("- 1", "a recipe is a mapping of keys to values, got list"), (None, "cannot be read")],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "give either `dataset` or `photos`"),
        ({"dataset": "a.json", "photos": "b"}, "give either `dataset` or `photos`"),
        ({"photos": "b", "damage": False}, "say of `photos` whether a `vehicle` is on them"),
        ({"dataset": "a.json", "per_batch": 0}, "greater than or equal to 1"),
    ],
)
def test_a_set_of_photos_is_of_one_kind(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PhotoSet.model_validate(document)


def test_a_set_of_photos_has_a_file() -> None:
    assert PhotoSet(dataset="a.json").file == "a.json"
    assert PhotoSet(photos="b", vehicle=False).file == "b"
    assert PhotoSet.model_validate({"coco": "a.json"}).dataset == "a.json"  # as recipes of before call it


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"kind": "multistep"}, "`at` names the steps of kind multistep, or `at_epochs` its epochs, and of no other"),
        ({"at": [3]}, "`at` names the steps of kind multistep, or `at_epochs` its epochs, and of no other"),
        ({"kind": "multistep", "at": [3], "at_epochs": [1]}, "or `at_epochs` its epochs"),
        ({"kind": "multistep", "at": [3, 3]}, "`at` must rise"),
        ({"kind": "multistep", "at": [5, 3]}, "`at` must rise"),
    ],
)
def test_a_schedule_fits_its_kind(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule.model_validate(document)


def test_epochs_are_counted_in_steps_when_the_photos_are_known() -> None:
    phases = (
        "[{epochs: 2, size: 32, optimizers: [{kind: adamw, rate: 0.1, schedule: {kind: multistep, at_epochs: [0.5, 1]}}]},"
        " {epochs: 1.5, size: 32, per_batch: [0, 0, 5]}, {steps: 7, size: 32}]"
    )
    document = toy_document(phases=yaml.safe_load(phases))
    recipe = in_steps(Recipe.model_validate(document), [9, 4, 40])  # two, one and one in a batch: 5, 4 and 40 batches
    assert [phase.steps for phase in recipe.phases] == [80, 12, 7]
    assert [phase.epochs for phase in recipe.phases] == [None, None, None]
    assert recipe.phases[0].optimizers is not None
    assert recipe.phases[0].optimizers[0].schedule.at == (20, 40)
    assert recipe.steps == 99
    assert in_steps(recipe, [9, 4, 40]) == recipe


def test_a_schedule_of_few_photos_still_rises_so_that_the_runs_recipe_can_be_read(tmp_path: Path) -> None:
    schedule = {"kind": "multistep", "at_epochs": [0.5, 0.6, 2]}
    phases = [{"epochs": 3, "size": 32, "per_batch": [2, 1, 1]}]
    document = toy_document(phases=phases, optimizers=[{"kind": "adamw", "rate": 0.1, "schedule": schedule}])
    recipe = in_steps(Recipe.model_validate(document), [2, 1, 1])
    assert recipe.optimizers[0].schedule.at == (0, 1, 2)
    (tmp_path / "recipe.yaml").write_bytes(write_recipe(recipe))
    assert read_recipe(tmp_path / "recipe.yaml") == recipe
