"""A run that begins with a bundle: the network says what the bundle says, in evaluation and while it learns."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
timm = pytest.importorskip("timm", reason="needs the extra `train`")

from safetensors.torch import save_file
from torch import Tensor, nn

from dentify.bundle.open import Bundle
from dentify.errors import ConfigError
from dentify.runtime.session import Session
from dentify.training import train
from dentify.training.as_onnx import NETWORK_FILE, Exported, to_onnx
from dentify.training.checkpoints import read_checkpoint
from dentify.training.export import describe, read_run_recipe
from dentify.training.from_bundle import begin_with
from dentify.training.models.network import normalised
from dentify.training.recipe import Recipe, read_recipe
from dentify.training.taught import Kept
from toy_bench import toy_document

SIDE = 64
MODEL = {"name": "efficientnet_fpn", "encoder": "test_efficientnet", "width": 8, "fine_width": 8}
HEADS: dict[str, Any] = {
    "types": {"kind": "overlapping", "of": "damage"},
    "any": {"kind": "overlapping", "of": "any_damage"},
    "outline": {"kind": "outline"},
    "offsets": {"kind": "offsets"},
    "parts": {"kind": "exclusive", "of": "parts"},
    "damage": {"kind": "labels", "of": "damaged"},
    "damage_seen": {"kind": "labels", "of": "damaged", "pooled": ["any"], "within": "outline", "features": False},
}
TYPES = ("dent", "hail_mark", "scratch")


def recipe(**changes: Any) -> Recipe:
    classes = {"damage": list(TYPES), "parts": ["hood", "trunk"]}
    document = toy_document(**({"model": MODEL, "classes": classes, "heads": HEADS} | changes))
    document["data"]["serve_size"] = SIDE
    return Recipe.model_validate(document)


def network_of(plan: Recipe, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return plan.model.build({name: head.output for name, head in plan.build_heads().items()}, None)


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    rng = np.random.default_rng(0)
    blobs = [cv2.resize(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), (SIDE, SIDE)) for _ in range(4)]
    return normalised(torch.from_numpy(np.stack(blobs)), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return bundle_of(recipe())


def bundle_of(plan: Recipe) -> Bundle:
    """A trained network's as export writes it: batch norms folded, the type `hail_mark` cut out of the channels."""
    network = network_of(plan, 1).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    nn.init.uniform_(network.evidence["damage_seen"].weight)  # type: ignore[index, union-attr]
    heads = plan.build_heads()
    kept = {name: Kept(head, head.names, head.channels(head.names)) for name, head in heads.items()}
    for name in ("types", "offsets"):
        kept[name] = Kept(heads[name], ("dent", "scratch"), heads[name].channels(("dent", "scratch")))
    manifest = describe(plan, kept, network, version="1.0.0", photos=Counter())
    return Bundle(manifest, "0" * 64, {NETWORK_FILE: to_onnx(Exported(network, kept).eval(), SIDE)}, "b")


def said_by(bundle: Bundle, picture: Tensor) -> dict[str, Tensor]:
    outputs = [*HEADS]
    session = Session(bundle.files[NETWORK_FILE], input_name="image", output_names=outputs, where="b")
    return {name: torch.from_numpy(np.array(value)) for name, value in session.run(picture[None].numpy()).items()}


def test_the_network_says_what_the_bundle_says(bundle: Bundle, pictures: Tensor) -> None:
    """Head by head and name by name: other types, in another order, and answers at other rows."""
    heads = {name: HEADS[name] for name in reversed(HEADS)}
    plan = recipe(heads=heads, classes={"damage": ["scratch", "paint", "dent"], "parts": ["trunk", "hood"]})
    network = network_of(plan, 2)
    begun = begin_with(network, plan.build_heads(), bundle, pictures)
    assert begun.taught == {
        "types": ["dent", "scratch"],
        "any": ["any"],
        "outline": ["vehicle"],
        "offsets": ["dent", "scratch"],
        "parts": ["hood", "trunk"],
        "damage": ["no", "yes"],
        "damage_seen": ["no", "yes"],
    }
    assert begun.notes == ["paint begin as damage of any type: b does not know that"]
    network.eval()
    for picture in pictures.flip(3):  # others than its batch norms were measured on
        theirs = said_by(bundle, picture)
        with torch.inference_mode():
            ours = network(picture[None])
        assert torch.allclose(ours["types"][:, [2, 0]], theirs["types"], atol=1e-3)
        assert torch.allclose(ours["types"][:, [1]], theirs["any"], atol=1e-3)
        assert torch.allclose(ours["offsets"][:, [4, 5, 0, 1]], theirs["offsets"], atol=1e-3)
        assert torch.allclose(ours["parts"][:, [1, 0, 2]], theirs["parts"], atol=1e-3)
        for name in ("any", "outline", "damage", "damage_seen"):
            assert torch.allclose(ours[name], theirs[name], atol=1e-3), name


def test_batch_norms_say_the_same_while_they_learn(bundle: Bundle, pictures: Tensor) -> None:
    """Statistics are those of the pictures: in training mode, by their own statistics, hardly anything changes."""
    plan = recipe()
    network = network_of(plan, 2)
    begin_with(network, plan.build_heads(), bundle, pictures)
    with torch.no_grad():
        calm = network.eval()(pictures)
        network.train()
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
        learning = network(pictures)
    for name, value in calm.items():
        assert torch.allclose(learning[name], value, atol=2e-2 * float(value.abs().max())), name


DIRECT = MODEL | {"direct_width": 8}
KEPT: dict[str, Any] = {"types": [0, 2], "offsets": [0, 1, 4, 5]}
"""Channels that the bundle has of a head's; without the type that was cut out."""


def test_a_part_that_the_bundle_lacks_is_heard_beside_what_it_knows(bundle: Bundle, pictures: Tensor) -> None:
    plan = recipe(model=DIRECT)
    network = network_of(plan, 2)
    begun = begin_with(network, plan.build_heads(), bundle, pictures)
    assert "model: direct of the network begin with random weights, as b has none" in begun.notes
    with torch.inference_mode():
        ours = network.eval()(pictures)
    for name, theirs in said_by(bundle, pictures[0]).items():
        assert torch.allclose(ours[name][:1, KEPT.get(name, slice(None))], theirs, atol=1e-3), name
    network.direct.norm.reset_running_stats()
    with torch.inference_mode():
        assert all(torch.equal(again, ours[name]) for name, again in network(pictures).items())  # nothing hears of it yet
    network.train()(pictures)["types"].sum().backward()
    assert network.fine[0][0].weight.grad[:, -2:].abs().max() > 0  # but will


def test_a_part_whose_batch_norm_has_no_convolution_to_be_folded_into_is_taken(pictures: Tensor) -> None:
    plan = recipe(model=DIRECT)
    bundle = bundle_of(plan)
    network = network_of(plan, 2)
    assert begin_with(network, plan.build_heads(), bundle, pictures).notes == [
        "hail_mark begin as damage of any type: b does not know that"
    ]
    with torch.inference_mode():
        ours = network.eval()(pictures.flip(3))
    for name, theirs in said_by(bundle, pictures.flip(3)[0]).items():
        assert torch.allclose(ours[name][:1, KEPT.get(name, slice(None))], theirs, atol=1e-3), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": MODEL | {"width": 16}}, r"b: is of another network than the recipe's: `\S+` is \(8, .*, the recipe's \(16, "),
        ({"model": MODEL | {"encoder": "tf_efficientnet_b0"}}, "b: is of another network than the recipe's"),
    ],
    ids=["width", "encoder"],
)
def test_another_network_is_told(bundle: Bundle, pictures: Tensor, changes: dict[str, Any], message: str) -> None:
    plan = recipe(**changes)
    with pytest.raises(ConfigError, match=message):
        begin_with(network_of(plan, 0), plan.build_heads(), bundle, pictures)


def test_what_a_bundle_does_not_answer_begins_random_and_is_told(bundle: Bundle, pictures: Tensor) -> None:
    plan = recipe(heads={**HEADS, "severity": {"kind": "labels", "of": "severity"}})
    begun = begin_with(network_of(plan, 2), plan.build_heads(), bundle, pictures)
    assert begun.notes[-1] == "severity: begin with random weights, as b does not answer that"
    assert "severity" not in begun.taught


def test_a_gate_that_looks_at_features_and_at_maps_is_taken_whole(pictures: Tensor) -> None:
    both = {"kind": "labels", "of": "damaged", "pooled": ["any"], "within": "outline"}
    plan = recipe(heads={**{name: HEADS[name] for name in ("types", "any", "outline", "offsets")}, "damage_seen": both})
    bundle = bundle_of(plan)
    network = network_of(plan, 2)
    begin_with(network, plan.build_heads(), bundle, pictures)
    session = Session(bundle.files[NETWORK_FILE], input_name="image", output_names=["damage_seen"], where="b")
    with torch.inference_mode():
        ours = network.eval()(pictures[:1])["damage_seen"]
    theirs = session.run(pictures[:1].numpy())["damage_seen"]
    assert np.allclose(ours.numpy(), theirs, atol=1e-3)


def test_layers_on_tokens_are_told_to_be_folded() -> None:
    model = {"name": "timm_classifier", "architecture": "test_convnext", "weights": None}
    plan = recipe(model=model, heads={"damage": HEADS["damage"]})
    heads = plan.build_heads()
    network = network_of(plan, 1).eval()
    kept = {"damage": Kept(heads["damage"], heads["damage"].names, heads["damage"].channels(heads["damage"].names))}
    manifest = describe(plan, kept, network, version="1.0.0", photos=Counter())
    bundle = Bundle(manifest, "0" * 64, {NETWORK_FILE: to_onnx(Exported(network, kept).eval(), SIDE)}, "b")
    with pytest.raises(ConfigError, match=r"is not there; or export folded it, .*begin with the last\.ckpt of its run"):
        begin_with(network_of(plan, 2), heads, bundle, torch.zeros(2, 3, SIDE, SIDE))


def test_a_teacher_begins_with_a_bundle_and_its_transformers_own_weights(bundle: Bundle, painted: Path, tmp_path: Path) -> None:
    """The encoder's file is not asked for, as the bundle has that part; the transformer is heard of when it has learned."""
    from dentify.bundle.write import write_bundle

    write_bundle(tmp_path / "b.zip", bundle.manifest, bundle.files)
    weights = {"encoder_weights": "nowhere.safetensors", "transformer_weights": "transformer.safetensors"}
    plan = recipe(
        model=MODEL | {"name": "dinov2_fpn", "transformer": "vit_small_patch14_dinov2", "blocks": [0], **weights},
        phases=[{"steps": 1, "size": SIDE, "train": ["photo"], "precision": "32"}],
    )
    with pytest.raises(ConfigError, match=r"transformer\.safetensors"):
        train(plan, data=painted, output=tmp_path / "without", start=tmp_path / "b.zip")
    transformer = timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0)
    save_file(transformer.state_dict(), painted / "transformer.safetensors")
    state = read_checkpoint(train(plan, data=painted, output=tmp_path / "run", start=tmp_path / "b.zip"))
    assert torch.equal(state.weights["transformer.cls_token"], transformer.cls_token)
    assert torch.equal(state.weights["encoder.conv_stem.weight"], to_torch(bundle, "network.encoder.conv_stem.weight"))
    assert not state.weights["beside16.weight"].any()


def test_a_run_may_begin_with_a_bundle_and_its_recipe_says_so(bundle: Bundle, painted: Path, tmp_path: Path) -> None:
    from dentify.bundle.write import write_bundle

    write_bundle(tmp_path / "b.zip", bundle.manifest, bundle.files)
    heads = {name: HEADS[name] for name in ("types", "any", "damage")}
    plan = recipe(heads=heads, phases=[{"steps": 1, "size": SIDE, "train": ["decoder"], "precision": "32"}])
    done = train(plan, data=painted, output=tmp_path / "run", start=tmp_path / "b.zip")
    kept = read_recipe(tmp_path / "run" / "recipe.yaml")
    assert kept.start == str(tmp_path / "b.zip")
    assert kept.model.origins["b"].origin == "the bundle toy 1.0.0"
    state = read_checkpoint(done)
    assert state.taught["types"] == ["dent", "hail_mark", "scratch"]  # what photos show, and what the bundle was taught
    frozen = to_torch(bundle, "network.encoder.conv_stem.weight")
    assert torch.equal(state.weights["encoder.conv_stem.weight"], frozen)
    again = train(plan.model_copy(update={"start": str(tmp_path / "b.zip")}), data=painted, output=tmp_path / "again")
    assert read_checkpoint(again).weights["coarse.bias" if "coarse.bias" in state.weights else "fine.1.bias"].shape
    after = train(plan, data=painted, output=tmp_path / "after", start=done)  # and so do those of runs that begin with it
    told = "a run of toy, which learned from b (the bundle toy 1.0.0, Apache-2.0)"
    assert read_run_recipe(after).learned_from["run"].origin == told


def to_torch(bundle: Bundle, name: str) -> Tensor:
    import onnx

    graph = onnx.load_from_string(bundle.files[NETWORK_FILE]).graph
    return torch.from_numpy(np.array(onnx.numpy_helper.to_array(next(one for one in graph.initializer if one.name == name))))


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs the photos of examples/")
def test_the_default_bundles_network_says_the_same_on_real_photos() -> None:
    """All outputs that the bundle has, on photos that its batch norms were not measured on."""
    from dentify.planning import find_recipe
    from dentify.runtime.preprocess import network_input

    default = Bundle.open()
    known = default.manifest
    plan = read_recipe(find_recipe("default"), (f"classes.parts={list(known.classes.parts)}",))
    outputs = {one.output for role in ("vehicle_gate", "damage_gate", "parts", "severity") for one in getattr(known.roles, role)}
    outputs |= {"types", *known.roles.damage[0].auxiliary.values()}
    heads = {name: head for name, head in plan.build_heads().items() if name in outputs}
    torch.manual_seed(0)
    network = plan.model.build({name: head.output for name, head in heads.items()}, None)
    preprocessing = known.networks[0].preprocessing
    inputs = [
        network_input(cv2.imread(str(path))[..., ::-1].copy(), preprocessing) for path in sorted(EXAMPLES.glob("*.jpg"))[:3]
    ]
    begin_with(network, heads, default, torch.from_numpy(inputs[0]))
    network.eval()
    session = Session(default.files["network.onnx"], input_name="image", output_names=list(heads), where="default")
    order = [plan.classes.damage.index(name) for name in known.classes.damage]
    pairs = [2 * place + axis for place in order for axis in (0, 1)]
    for tensor in inputs[1:]:
        theirs = session.run(tensor)
        with torch.inference_mode():
            ours = {name: value.numpy() for name, value in network(torch.from_numpy(tensor)).items()}
        for name in heads:
            own = ours[name][:, pairs if name == "offsets" else order] if name in ("types", "centres", "offsets") else ours[name]
            pools_cracks = name == "damage_seen"  # which the bundle does not tell: their map begins as that of any damage
            assert np.abs(own - theirs[name]).max() < (0.5 if pools_cracks else 1e-3), name
