"""Semantic networks of transformers: built tiny and random, trained on real photos, exported, asked; and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

from safetensors.torch import save_file
from torch import nn

import dentify
from dentify.bundle import Bundle
from dentify.bundle.onnx_bytes import inspect_onnx
from dentify.errors import ConfigError
from dentify.runtime.session import Session
from dentify.training import export_bundle, train
from dentify.training.as_onnx import to_onnx
from dentify.training.checkpoints import read_checkpoint, write_checkpoint
from dentify.training.heads import Output
from dentify.training.models import pretrained
from dentify.training.models.semantic import ARCHITECTURES, LEAST, FixedAveragePool, Semantic, SemanticRecipe
from real_photos import PARTS, SIDE, TYPES, label_examples, real_recipe
from tiny_mask2former import MASK2FORMER, SWIN

OUTPUTS = {"types": Output(3, 4, -3.0), "parts": Output(3, 8), "seen": Output(1, features=False, pooled=("types",))}
HEADS: dict[str, Any] = {
    "types": {"kind": "overlapping", "of": "damage", "stride": 4},
    "parts": {"kind": "exclusive", "of": "parts", "stride": 8},
}
TINY: dict[str, dict[str, Any]] = {
    "segformer_b0": {
        "hidden_sizes": [8, 8, 16, 16],
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 2],
        "decoder_hidden_size": 8,
    },
    "upernet_swin_tiny": {"backbone_config": SWIN, "hidden_size": 8},
    "dpt_large": {
        "hidden_size": 16,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "backbone_out_indices": [0, 1, 2, 3],
        "neck_hidden_sizes": [8, 8, 16, 16],
        "fusion_hidden_size": 8,
    },
    "mobilevitv2_deeplabv3": {"width_multiplier": 0.25, "n_attn_blocks": [1, 1, 1], "aspp_out_channels": 8},
    "deeplabv3_mobilevit_small": {
        "hidden_sizes": [16, 16, 24],
        "neck_hidden_sizes": [8, 8, 8, 8, 16, 16, 24],
        "num_attention_heads": 2,
        "aspp_out_channels": 8,
    },
    "mask2former_swin_tiny": MASK2FORMER,
}
ENCODER = {"encoder": "mobilenetv3_small_050", "weights": None}
TRANSFORMER = {"encoder": "test_vit", "weights": None}
OVER_TIMM: dict[str, dict[str, Any]] = {
    "segformer_b0": ENCODER | {"configuration": {"decoder_hidden_size": 8}},
    "upernet_swin_tiny": ENCODER | {"configuration": {"hidden_size": 8}},
    "dpt_large": TRANSFORMER | {"configuration": {"fusion_hidden_size": 8}},
    "mask2former_swin_tiny": ENCODER
    | {"configuration": {key: value for key, value in MASK2FORMER.items() if key != "backbone_config"}},
}
ONE_OF_EACH = [pytest.param(name, marks=() if name == "segformer_b0" else pytest.mark.models) for name in TINY]


def recipe(architecture: str = "segformer_b0", **changes: Any) -> SemanticRecipe:
    tiny = {"weights": None, "configuration": TINY[architecture]}
    return SemanticRecipe(name="semantic", architecture=architecture, **(tiny | changes))


def built(architecture: str = "segformer_b0", **changes: Any) -> Semantic:
    torch.manual_seed(0)
    return recipe(architecture, **changes).build(OUTPUTS, None)


# Trained, exported and asked


def test_every_family_is_tried() -> None:
    assert {id(row.family) for row in ARCHITECTURES.values()} == {id(ARCHITECTURES[name].family) for name in TINY}


@pytest.mark.parametrize("architecture", ONE_OF_EACH)
def test_it_is_trained_on_real_photos_exported_and_asked(architecture: str, examples: Path, tmp_path: Path) -> None:
    """Export itself compares ONNX Runtime with torch, and opening refuses graphs with loops or branches."""
    data = label_examples(examples, tmp_path)
    model = {"name": "semantic", "architecture": architecture, "weights": None, "configuration": TINY[architecture]}
    checkpoint = train(real_recipe(model, HEADS), data=data, output=tmp_path / "run")
    convince(checkpoint, built(architecture).answer_layers()["types"])
    done = export_bundle(checkpoint, tmp_path / "bundle")
    manifest = Bundle.open(done).manifest
    assert manifest.classes.damage == TYPES
    assert set(manifest.classes.parts) == set(PARTS)
    assert manifest.metrics["parity"]["largest_difference"] < 1e-4
    answer = dentify.load(done).assess(examples / "car_04.jpg", score_threshold=0.0)
    assert {finding.type for finding in answer.findings} == {"dent"}
    assert all(finding.mask is not None for finding in answer.findings)
    assert {part.name for part in answer.parts} <= set(PARTS)
    assert answer.findings[0].parts or not answer.parts
    assert "crack" in answer.not_judged


def convince(checkpoint: Path, layer: tuple[str, int]) -> None:
    """Lets a network that learned next to nothing see dents everywhere, so that there is something to find."""
    state = read_checkpoint(checkpoint)
    name, row = layer
    state.average[f"{name}.bias"][row] += 6
    write_checkpoint(checkpoint, state)


@pytest.mark.models
@pytest.mark.parametrize("architecture", OVER_TIMM)
def test_over_an_encoder_of_timm_it_is_trained_exported_and_asked(architecture: str, examples: Path, tmp_path: Path) -> None:
    data = label_examples(examples, tmp_path)
    model = {"name": "semantic", "architecture": architecture, **OVER_TIMM[architecture]}
    checkpoint = train(real_recipe(model, HEADS), data=data, output=tmp_path / "run")
    done = export_bundle(checkpoint, tmp_path / "bundle")
    assert Bundle.open(done).manifest.metrics["parity"]["largest_difference"] < 1e-4
    assert dentify.load(done).assess(examples / "car_04.jpg").parts is not None


# The network


@pytest.mark.parametrize("architecture", ONE_OF_EACH)
def test_it_answers_maps_at_the_strides_that_are_asked_and_gates_by_these(architecture: str) -> None:
    network = built(architecture)
    with torch.inference_mode():
        told = network.eval()(torch.zeros(2, 3, SIDE, SIDE))
    shapes = {name: tuple(value.shape) for name, value in told.items()}
    assert shapes == {"types": (2, 3, SIDE // 4, SIDE // 4), "parts": (2, 3, SIDE // 8, SIDE // 8), "seen": (2, 1)}


@pytest.mark.parametrize("architecture", ONE_OF_EACH)
def test_every_weight_is_in_one_part_and_learns(architecture: str) -> None:
    network = built(architecture)
    named = [id(parameter) for modules in network.parts().values() for module in modules for parameter in module.parameters()]
    assert sorted(named) == sorted(id(parameter) for parameter in network.parameters())
    told = network.train()(torch.randn(2, 3, SIDE, SIDE))
    sum(value.square().mean() for value in told.values()).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("architecture", ONE_OF_EACH)
def test_a_layers_rows_answer_its_heads(architecture: str) -> None:
    network = built(architecture).eval()
    layer, row = network.answer_layers()["parts"]
    images = torch.randn(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        before = network(images)
        network.get_submodule(layer).bias[row : row + 3] += 1
        after = network(images)
    assert row == 3
    assert (after["parts"] > before["parts"]).all()


def test_damage_begins_rare() -> None:
    with torch.inference_mode():
        told = built().eval()(torch.randn(1, 3, SIDE, SIDE))
    assert float(told["types"].mean()) == pytest.approx(-3, abs=0.3)
    assert float(told["parts"].mean()) == pytest.approx(0, abs=0.3)


# Exportable operators beside the original ones


@pytest.mark.parametrize("side", [1, 3, 7, 16, 17])
def test_pooling_by_matrices_is_adaptive_pooling(side: int) -> None:
    features = torch.randn(2, 4, side, 2 * side, generator=torch.Generator().manual_seed(0))
    for cells in (1, 2, 3, 6):
        torch.testing.assert_close(FixedAveragePool(cells)(features), nn.AdaptiveAvgPool2d(cells)(features), atol=1e-6, rtol=0)


def original(architecture: str) -> Any:
    """transformers' own model with the weights of ours, and with all of its own operators."""
    ours = built(architecture).eval()
    config = ours.model.config.__class__.from_dict(ours.model.config.to_dict())
    model = type(ours.model)(config).eval()
    theirs = dict(model.state_dict())
    theirs.update({name: value for name, value in ours.model.state_dict().items() if name in theirs})
    model.load_state_dict(theirs)
    return ours, model


@pytest.mark.models
def test_upernet_as_onnx_says_what_transformers_own_model_says() -> None:
    ours, model = original("upernet_swin_tiny")
    images = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        theirs = model(images).logits  # enlarged to the picture's size
    seen: list[float] = []
    for name, rows in (("types", slice(0, 3)), ("parts", slice(3, 6))):
        said = torch.from_numpy(as_onnx(ours).run(images.numpy())[name])
        if name == "types":  # stride 4 is its own
            said = nn.functional.interpolate(said, (SIDE, SIDE), mode="bilinear", align_corners=False)
            seen.append(float((said - theirs[:, rows]).abs().max()))
    assert max(seen) < 1e-5, f"largest difference {max(seen):.2g}"


@pytest.mark.models
def test_mask2former_as_onnx_says_what_transformers_own_model_says() -> None:
    """Its queries come to a sum at each cell, and ours to a logit that rises with it."""
    ours, model = original("mask2former_swin_tiny")
    images = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        told = model(images)
    classes, masks = told.class_queries_logits.softmax(-1)[..., :-1], told.masks_queries_logits.sigmoid()
    expected = torch.einsum("bqc,bqhw->bchw", classes, masks)[:, :3]
    said = torch.from_numpy(as_onnx(ours).run(images.numpy())["types"])
    again = torch.log1p(said.exp()) - np.log1p(LEAST)  # of log(exp(sum) - 1), the sum
    largest = float((again - expected).abs().max())
    assert largest < 1e-5, f"largest difference {largest:.2g}"


def as_onnx(network: nn.Module) -> Session:
    onnx = to_onnx(network, SIDE)
    inspect_onnx(onnx, where="network.onnx")  # no loops, no branches, no operators of others
    return Session(onnx, input_name="image", output_names=["types", "parts"], where="network.onnx")


# Weights


def published(path: Path, model: nn.Module, *, only: str = "") -> None:
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items() if name.startswith(only)}
    save_file(weights, path)


def of_other_classes() -> nn.Module:
    torch.manual_seed(5)
    return (
        SemanticRecipe(name="semantic", architecture="segformer_b0", weights=None, configuration=TINY["segformer_b0"])
        .build({"other": Output(150, 4)}, None)
        .model
    )


def test_weights_in_a_file_are_read_but_for_the_answers(tmp_path: Path) -> None:
    theirs = of_other_classes()
    published(tmp_path / "b0.safetensors", theirs)
    network = recipe(weights="b0.safetensors").build(OUTPUTS, tmp_path)
    assert network.training
    for name, value in network.model.state_dict().items():
        if not name.startswith("decode_head.classifier"):
            torch.testing.assert_close(value, theirs.state_dict()[name], atol=1e-3, rtol=1e-3)
            assert value.dtype in (torch.float32, torch.int64)


def test_names_of_earlier_versions_of_transformers_are_known(tmp_path: Path) -> None:
    theirs = of_other_classes().state_dict()
    old = {name.replace("decode_head.linear_projections", "decode_head.linear_c"): value for name, value in theirs.items()}
    assert old.keys() != theirs.keys()
    save_file(old, tmp_path / "b0.safetensors")
    network = recipe(weights="b0.safetensors").build(OUTPUTS, tmp_path)
    name = "decode_head.linear_projections.0.proj.weight"
    torch.testing.assert_close(network.model.state_dict()[name], theirs[name])


def test_one_that_has_weights_and_cannot_be_asked_is_told_before_it_is_trained(tmp_path: Path) -> None:
    weights = built("dpt_large").model.state_dict()
    save_file({name: value.contiguous() for name, value in weights.items()}, tmp_path / "dpt.safetensors")
    beyond = TINY["dpt_large"] | {"backbone_out_indices": [0, 1, 2, 99]}
    with pytest.raises(ConfigError, match="model: dpt_large cannot be asked when it is built so: "):
        recipe("dpt_large", weights="dpt.safetensors", configuration=beyond).build(OUTPUTS, tmp_path)
    recipe("dpt_large", weights="dpt.safetensors").build(OUTPUTS, tmp_path)


def test_weights_of_the_encoder_alone_will_do(tmp_path: Path) -> None:
    theirs = of_other_classes()
    published(tmp_path / "encoder.safetensors", theirs, only="segformer.")
    network = recipe(weights="encoder.safetensors").build(OUTPUTS, tmp_path)
    name = "segformer.stages.3.layer_norm.weight"
    torch.testing.assert_close(network.model.state_dict()[name], theirs.state_dict()[name], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hidden_sizes": [8, 8, 16, 32]}, r"b0.safetensors: are not weights of segformer_b0: size mismatch for \S+: \(\d+"),
        ({"depths": [1, 1, 1, 2]}, r"b0.safetensors: are not weights of segformer_b0: it lacks segformer.stages.3.blocks.1"),
    ],
    ids=["wider", "deeper"],
)
def test_weights_of_another_size_are_one_line(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    published(tmp_path / "b0.safetensors", of_other_classes())
    with pytest.raises(ConfigError, match=told) as caught:
        recipe(weights="b0.safetensors", configuration=TINY["segformer_b0"] | changes).build(OUTPUTS, tmp_path)
    assert "\n" not in str(caught.value)


def test_without_a_network_it_says_where_to_put_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unreachable(repository: str, name: str) -> str:
        raise OSError("We couldn't connect\nto the Hub")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    with pytest.raises(ConfigError) as caught:
        recipe(weights="hub").build(OUTPUTS, tmp_path)
    said = str(caught.value)
    assert (
        "model.weights: the weights of nvidia/segformer-b0-finetuned-ade-512-512 cannot be downloaded (We couldn't connect)"
        in said
    )
    assert f"put its model.safetensors on this machine and name it in model.weights (relative to {tmp_path})" in said
    assert "\n" not in said


def test_weights_of_the_hub_may_be_pickled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub.errors import EntryNotFoundError

    def download(repository: str, name: str) -> str:
        if name == "model.safetensors":
            raise EntryNotFoundError(name)
        torch.save({"x": torch.ones(1).half()}, tmp_path / name)
        return str(tmp_path / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    values = pretrained.hub_weights("somebody/network", key="model.weights", advice="")
    assert values["x"].dtype == torch.float32


@pytest.mark.parametrize("architecture", [name for name, over in OVER_TIMM.items() if over["encoder"] == ENCODER["encoder"]])
def test_an_encoder_of_timm_comes_with_its_own_weights(architecture: str, tmp_path: Path) -> None:
    tiny = recipe(architecture, **OVER_TIMM[architecture])
    torch.manual_seed(1)
    theirs = pretrained.timm_pyramid("mobilenetv3_small_050", key="", weights="", pretrained=False)
    save_file({name: value.contiguous() for name, value in theirs.state_dict().items()}, tmp_path / "small.safetensors")
    network = tiny.model_copy(update={"weights": "small.safetensors"}).build(OUTPUTS, tmp_path)
    encoder = network.model.get_submodule(f"{network.family.encoder}._backbone")
    torch.testing.assert_close(encoder.state_dict(), theirs.state_dict())
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 3, SIDE, SIDE))["types"].shape == (1, 3, SIDE // 4, SIDE // 4)
    parts = network.parts()
    assert [name for name in parts if name.startswith("encoder.")] == list(pretrained.encoder_parts(encoder))
    named = [id(parameter) for modules in parts.values() for module in modules for parameter in module.parameters()]
    assert sorted(named) == sorted(id(parameter) for parameter in network.parameters())


# What it refuses


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"configuration": {"hiden_sizes": [1]}},
            r"configuration.hiden_sizes: is no key of SegformerConfig; did you mean `h",
        ),
        ({"configuration": {"depths": [1]}}, r"model.configuration: segformer_b0 cannot be built so: \S"),
        ({"configuration": {"depths": "deep"}}, r"model.configuration: segformer_b0 cannot be built so: \S"),
        ({"configuration": {"num_labels": 4}}, r"model.configuration.num_labels: is no key of SegformerConfig"),
    ],
    ids=["unknown key", "too short", "no list", "answers are the heads'"],
)
def test_a_configuration_that_is_none_is_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        recipe(**changes).build(OUTPUTS, None)
    assert "\n" not in str(caught.value)


def test_a_key_of_a_backbone_that_is_none_is_told() -> None:
    wrong = {"backbone_config": {"embed_dims": 8}}
    with pytest.raises(ConfigError, match=r"backbone_config.embed_dims: is no key of SwinConfig; did you mean `embed_dim`"):
        recipe("upernet_swin_tiny", configuration=wrong).build(OUTPUTS, None)


@pytest.mark.parametrize(
    ("architecture", "changes", "told"),
    [
        (
            "mobilevitv2_deeplabv3",
            ENCODER,
            "model.encoder: mobilevitv2_deeplabv3 has an encoder of its own; these take others: segformer_b0",
        ),
        (
            "upernet_swin_tiny",
            {"encoder": "mobilenetv3_smal_050", "configuration": {}},
            "model.encoder: timm has no model `mobilenetv3_smal_050`",
        ),
        (
            "upernet_swin_tiny",
            {"encoder": "vit_tiny_patch16_224", "configuration": {}},
            "model.encoder: vit_tiny_patch16_224 gives no feat",
        ),
        (
            "upernet_swin_tiny",
            ENCODER,
            "model.configuration.backbone_config: model.encoder is",
        ),
        (
            "segformer_b0",
            ENCODER | {"configuration": {"sr_ratios": [8, 4, 2, 1]}},
            "model.configuration.sr_ratios: model.encoder is",
        ),
        (
            "segformer_b0",
            {"encoder": "coat_lite_tiny", "weights": None, "configuration": {}},
            r"model: segformer_b0 cannot be asked when it is built so: Input height \(128\) doesn't match model \(224\)",
        ),
    ],
    ids=["no place for one", "unknown", "no pyramid", "two", "stages of none", "one size alone"],
)
def test_an_encoder_that_does_not_fit_is_one_line(architecture: str, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        recipe(architecture, **changes).build(OUTPUTS, None)


def test_an_architecture_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match=r"segformer_b9; did you mean `segformer_b"):
        SemanticRecipe(name="semantic", architecture="segformer_b9")


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ({"damage": Output(1, features=False)}, r"heads: semantic answers by maps"),
        ({"types": Output(3, 4), "damage": Output(1)}, r"heads.damage: semantic tells .* `pooled` and `features: false`"),
        (
            {"types": Output(3, 16), "seen": Output(1, features=False, pooled=("types",))},
            r"heads.seen looks at types, .* set heads.types.stride to 8 or less",
        ),
    ],
    ids=["no maps", "features", "coarse maps"],
)
def test_heads_that_it_does_not_answer_are_told(outputs: dict[str, Output], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        recipe().build(outputs, None)


def test_origins_go_by_the_architecture_or_the_file() -> None:
    assert recipe("upernet_swin_tiny", weights="hub", encoder="resnet18").weights_used == ("resnet18",)
    assert recipe(weights="hub").weights_used == ("segformer_b0",)
    known = {"resnet18": {"origin": "timm", "licence": "Apache-2.0"}}
    tagged = recipe("upernet_swin_tiny", weights="hub", encoder="resnet18.a1_in1k", origins=known)
    assert tagged.origins_used["resnet18.a1_in1k"].origin == "timm"
    assert recipe(weights="weights/mit_b0.safetensors").weights_used == ("mit_b0",)
    assert recipe(weights=None).weights_used == ()


def test_apples_networks_see_blue_first() -> None:
    network = built("deeplabv3_mobilevit_small").eval()
    seen: list[np.ndarray] = []
    network.model.register_forward_pre_hook(lambda module, given: seen.append(given[0].numpy()))
    with torch.inference_mode():
        network(torch.arange(3.0).view(1, 3, 1, 1).expand(1, 3, SIDE, SIDE))
    assert seen[0][0, :, 0, 0].tolist() == [2, 1, 0]
