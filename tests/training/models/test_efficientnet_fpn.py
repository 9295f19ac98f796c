"""The network of the default bundle: shapes of its answers, where they begin, and what training may change of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
timm = pytest.importorskip("timm", reason="needs the extra `train`")

from safetensors.torch import save_file
from torch import nn

from dentify.errors import ConfigError
from dentify.training.heads import Output
from dentify.training.models.efficientnet_fpn import AllScales, EfficientNetFPN, EfficientNetFPNRecipe, Evidence
from dentify.training.optimizers import freeze
from dentify.training.recipe import Phase

ALL = {
    "types": Output(5, 2, -3.0),
    "parts": Output(19, 4),
    "vehicle": Output(1),
    "any": Output(1, 2, -3.0),
    "centres": Output(5, 4, -4.0),
    "severity": Output(3),
}


def recipe(encoder: str = "test_efficientnet", **changes: Any) -> EfficientNetFPNRecipe:
    return EfficientNetFPNRecipe(name="efficientnet_fpn", encoder=encoder, width=8, fine_width=8, **changes)


def network(outputs: Mapping[str, Output] = ALL, **changes: Any) -> EfficientNetFPN:
    return recipe(**changes).build(outputs, None)


@pytest.mark.parametrize("direct_width", [0, 8])
@pytest.mark.parametrize("encoder", ["tf_efficientnet_b0", "test_efficientnet"])
def test_maps_are_halves_and_quarters_of_the_photo(encoder: str, direct_width: int) -> None:
    with torch.inference_mode():
        told = network(encoder=encoder, direct_width=direct_width).eval()(torch.zeros(2, 3, 64, 96))
    assert {name: tuple(output.shape) for name, output in told.items()} == {
        "types": (2, 5, 32, 48),
        "any": (2, 1, 32, 48),
        "parts": (2, 19, 16, 24),
        "centres": (2, 5, 16, 24),
        "vehicle": (2, 1),
        "severity": (2, 3),
    }


def test_every_scale_is_seen_without_the_pyramid() -> None:
    """At the finest one's size."""
    scales = [torch.randn(2, count, 16 // 2**place, 24 // 2**place) for place, count in enumerate((3, 5, 7))]
    all_scales = AllScales((3, 5, 7), 8)
    seen = all_scales(scales)
    assert seen.shape == (2, 8, 16, 24)
    assert seen.min() == 0
    for place, scale in enumerate(scales):
        others = [torch.zeros_like(other) if other is not scale else other for other in scales]
        assert all_scales.eval()(others).std((2, 3)).max() > 0, place


@pytest.mark.parametrize("direct_width", [0, 8])
@pytest.mark.parametrize("name", ALL)
def test_a_network_may_answer_one_head_alone(name: str, direct_width: int) -> None:
    alone = network({name: ALL[name]}, direct_width=direct_width)
    assert (alone.direct is not None) == bool(direct_width and ALL[name].stride)
    with torch.inference_mode():
        told = alone.eval()(torch.zeros(1, 3, 64, 64))
    assert told[name].shape[1] == ALL[name].channels
    assert list(told) == [name]
    assert (alone.photo is not None) == (ALL[name].stride is None)
    assert (alone.fine is not None) == (ALL[name].stride == 2)
    assert (alone.coarse is not None) == (ALL[name].stride == 4)


def test_answers_that_are_mostly_no_begin_low() -> None:
    whole = network(ALL | {"damage": Output(1, None, -2.0)})
    assert whole.fine is not None
    assert whole.coarse is not None
    assert whole.photo is not None
    assert whole.fine[-1].bias.tolist() == [-3.0] * 6
    assert whole.coarse.bias[19:].tolist() == [-4.0] * 5
    assert whole.coarse.bias[:19].abs().max() < 1
    assert whole.photo[-1].bias[4] == -2.0
    assert whole.photo[-1].bias[:4].abs().max() < 1


def test_a_stride_that_it_does_not_answer_at_is_told() -> None:
    with pytest.raises(ConfigError, match=r"heads\.parts: the network answers at stride 2 or 4, got 8"):
        network({"parts": Output(19, 8)})


def test_every_weight_is_in_one_part() -> None:
    for whole in (network(), network({"types": ALL["types"]}), network(direct_width=8)):
        parts = whole.parts()
        named = [id(weight) for modules in parts.values() for module in modules for weight in module.parameters()]
        assert len(named) == len(set(named))
        assert set(named) == {id(weight) for weight in whole.parameters()}
    assert list(network().parts()) == [*(f"encoder.{stage}" for stage in range(6)), "decoder", "photo"]
    assert "photo" not in network({"types": ALL["types"]}).parts()


def phase(*train: str) -> Phase:
    return Phase(steps=1, size=64, train=train)


def changed_by_a_step(whole: EfficientNetFPN, frozen: list[nn.Module]) -> set[str]:
    """What one step in training changes."""
    whole.train()
    for module in frozen:
        module.eval()
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    optimizer = torch.optim.SGD((weight for weight in whole.parameters() if weight.requires_grad), lr=1.0)
    sum(output.square().mean() for output in whole(torch.randn(2, 3, 64, 64)).values()).backward()
    optimizer.step()
    return {name for name, value in whole.state_dict().items() if not torch.equal(value, before[name])}


def test_frozen_stages_keep_weights_and_statistics() -> None:
    whole = network(encoder="tf_efficientnet_b0")
    changed = changed_by_a_step(whole, freeze(whole, whole.parts(), phase("encoder.3-", "decoder", "photo"), place=0))
    frozen = ("encoder.conv_stem.", "encoder.bn1.", "encoder.blocks.0.", "encoder.blocks.1.")
    assert not {name for name in changed if name.startswith(frozen)}
    assert {"encoder.blocks.2.0.conv_dw.weight", "encoder.blocks.2.0.bn1.running_mean", "lateral4.weight"} <= changed


def test_labels_alone_can_be_taught() -> None:
    whole = network()
    changed = changed_by_a_step(whole, freeze(whole, whole.parts(), phase("photo"), place=0))
    assert changed
    assert all(name.startswith("photo.") for name in changed)


def test_all_that_was_frozen_can_be_taught_again() -> None:
    whole = network()
    freeze(whole, whole.parts(), phase("photo"), place=0)
    assert freeze(whole, whole.parts(), phase("*"), place=1) == []
    assert all(weight.requires_grad for weight in whole.parameters())


def test_residual_blocks_are_passed_over_in_training_alone() -> None:
    often = network(encoder="tf_efficientnet_b0", drop_path=0.5)
    photos = torch.randn(2, 3, 64, 64)

    def features() -> torch.Tensor:
        return often.encoder(photos)[-1]

    often.train()
    for module in often.modules():
        if isinstance(module, nn.BatchNorm2d | nn.Dropout):
            module.eval()  # what is left to chance are the blocks
    assert not torch.equal(features(), features())
    often.eval()
    assert torch.equal(features(), features())


class TestPretrained:
    """Weights to begin with."""

    def test_they_are_read_in_whatever_precision_they_are_kept(self, tmp_path: Path) -> None:
        kept = {
            name: value.half() if value.is_floating_point() else value for name, value in network().encoder.state_dict().items()
        }
        save_file(kept, tmp_path / "encoder.safetensors")
        begun = recipe(encoder_weights="encoder.safetensors").build(ALL, tmp_path).encoder.state_dict()
        assert all(torch.equal(value, kept[name].to(value.dtype)) for name, value in begun.items())
        assert begun["conv_stem.weight"].dtype == torch.float32

    def test_a_file_of_the_whole_classifier_does_as_well(self, tmp_path: Path) -> None:
        """As timm publishes it; what neither encoder nor classifier has is of another network."""
        whole = timm.create_model("test_efficientnet", pretrained=False).state_dict()
        save_file(whole, tmp_path / "model.safetensors")
        begun = recipe(encoder_weights="model.safetensors").build(ALL, tmp_path).encoder.state_dict()
        assert all(torch.equal(value, whole[name]) for name, value in begun.items())
        save_file(whole | {"blocks.9.0.conv.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
        with pytest.raises(ConfigError, match="are not weights of test_efficientnet"):
            recipe(encoder_weights="model.safetensors").build(ALL, tmp_path)

    def test_a_checkpoint_that_follows_needs_none(self) -> None:
        assert recipe(encoder_weights="encoder.safetensors").build(ALL, None)

    def test_missing_ones_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"no such pretrained weights; set model\.encoder_weights to null to go without"):
            recipe(encoder_weights="encoder.safetensors").build(ALL, tmp_path)

    def test_those_of_another_encoder_are_told_in_one_line(self, tmp_path: Path) -> None:
        save_file({"conv_stem.weight": torch.zeros(3)}, tmp_path / "encoder.safetensors")
        with pytest.raises(ConfigError, match="are not weights of test_efficientnet") as caught:
            recipe(encoder_weights="encoder.safetensors").build(ALL, tmp_path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("tf_efficientnet_bo", r"model\.encoder: timm has no model `tf_efficientnet_bo`; did you mean `tf_efficientnet_b\d"),
        ("resnet18", r"model\.encoder: `resnet18` is not built as EfficientNets are; try tf_efficientnet_b0"),
        ("vit_tiny_patch16_224", r"model\.encoder: `vit_tiny_patch16_224` is not built as EfficientNets are"),
    ],
    ids=["no such model", "another family", "no pyramid"],
)
def test_an_encoder_that_it_cannot_be_built_around_is_told(encoder: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        network(encoder=encoder)


POOLED = {
    "types": Output(2, 2),
    "outline": Output(1, 4),
    "damage": Output(1, features=False, pooled=("types",), within="outline"),
}


class TestEvidence:
    """An answer for the whole picture from where its maps are strongest."""

    @staticmethod
    def asked(types: torch.Tensor, outline: torch.Tensor | None = None) -> float:
        evidence = Evidence(POOLED["damage"], POOLED)
        if outline is None:
            outline = torch.full((1, 1, types.shape[2] // 2, types.shape[3] // 2), 9.0)
        with torch.inference_mode():
            return float(evidence({"types": types, "outline": outline}))

    def test_more_of_it_anywhere_never_makes_it_less_likely(self) -> None:
        generator = torch.Generator().manual_seed(0)
        types = torch.randn(1, 2, 64, 64, generator=generator)
        least = self.asked(types)
        for _ in range(20):
            types[0, int(torch.randint(2, (), generator=generator)), :16, :16] += torch.rand(16, 16, generator=generator)
            more = self.asked(types)
            assert more >= least
            least = more

    def test_one_sure_place_is_enough(self) -> None:
        types = torch.full((1, 2, 64, 64), -6.0)
        nothing = self.asked(types)
        types[0, 1, 20:28, 20:28] = 6.0
        assert self.asked(types) > nothing + 2

    def test_what_lies_beside_the_vehicle_counts_for_little(self) -> None:
        types = torch.full((1, 2, 64, 64), -6.0)
        types[0, 1, :16, :16] = 6.0
        outline = torch.full((1, 1, 32, 32), 9.0)
        inside = self.asked(types, outline)
        outline[..., :8, :8] = -9.0
        assert self.asked(types, outline) < inside - 2

    def test_the_maps_learn_from_the_answer(self) -> None:
        alone = network(POOLED)
        told = alone.train()(torch.randn(2, 3, 64, 64))
        told["damage"].sum().backward()
        assert alone.fine is not None
        assert alone.fine[-1].weight.grad.abs().sum() > 0
        assert alone.photo is None
        assert alone.parts()["photo"] == [alone.evidence]

    def test_features_may_count_beside_it(self) -> None:
        both = POOLED | {"damage": Output(1, pooled=("types",))}
        asked = network(both).eval()
        assert asked.photo is not None
        with torch.inference_mode():
            images = torch.randn(1, 3, 64, 64)
            told = asked(images)
            evidence = asked.evidence["damage"](told)
        assert told["damage"].shape == (1, 1)
        assert not torch.equal(told["damage"], evidence)
