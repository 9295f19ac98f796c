"""Classifiers of timm: what they are built of, which weights they begin with, and how they answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from pydantic import ValidationError
from safetensors.torch import save_file

from dentify.errors import ConfigError
from dentify.planning import find_recipe
from dentify.training.checkpoints import Checkpoint, write_checkpoint
from dentify.training.heads import Output
from dentify.training.models.timm_classifier import TimmClassifier, TimmClassifierRecipe
from dentify.training.optimizers import check_parts, freeze
from dentify.training.recipe import Phase, read_recipe

FIVE = ("vgg16", "vgg19", "resnet50", "inception_v3", "xception")
OUTPUTS = {"vehicle": Output(1), "types": Output(3)}
PICTURES = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)


def recipe(**changes: Any) -> TimmClassifierRecipe:
    document = {"name": "timm_classifier", "architecture": "test_convnext", "weights": None}
    return TimmClassifierRecipe.model_validate(document | changes)


def built(root: Path | None = None, *, seed: int = 0, **changes: Any) -> TimmClassifier:
    torch.manual_seed(seed)
    network = recipe(**changes).build(OUTPUTS, root)
    network.eval()
    return network


class TestAnswers:
    def test_each_head_has_its_logits(self) -> None:
        told = built()(PICTURES)
        assert {name: tuple(values.shape) for name, values in told.items()} == {"vehicle": (2, 1), "types": (2, 3)}

    def test_features_are_taken_for_pictures(self) -> None:
        network = built(hidden=8)
        features = network.features(PICTURES)
        assert features.ndim == 2
        told, again = network(PICTURES), network(features)
        assert all(torch.allclose(told[name], again[name], atol=1e-6) for name in told)

    def test_maps_are_not_to_be_had(self) -> None:
        with pytest.raises(
            ConfigError, match=r"^heads.types: timm_classifier answers for the picture as a whole, and has no maps$"
        ):
            recipe().build({"types": Output(3, stride=4)}, None)


class TestParts:
    def test_they_go_from_the_picture_to_the_head(self) -> None:
        network = built()
        names = list(network.parts())
        assert names == [*(f"backbone.{number}" for number in range(len(names) - 1)), "head"]

    @pytest.mark.parametrize("name", [*FIVE, "convnext_atto"])
    def test_a_recipe_shares_out_every_weight(self, name: str) -> None:
        plan = read_recipe(find_recipe(name))
        with torch.device("meta"):
            network = plan.model.build({head: one.output for head, one in plan.build_heads().items()}, None)
        check_parts(network, network.parts(), plan)

    def test_adapters_leave_the_weights_under_them_apart(self) -> None:
        pytest.importorskip("peft", reason="needs the extra `train`")
        last = list(built().parts())[-2]
        network = built(adapter={"of": [last], "rank": 2})
        held = [id(one) for modules in network.parts().values() for module in modules for one in module.parameters()]
        assert sorted(held) == sorted(id(one) for one in network.parameters())
        assert list(network.parts())[-2:] == ["head", "adapted"]

    @pytest.mark.parametrize("adapter", [None, {"of": ["backbone.4"], "rank": 2}], ids=["", "adapted"])
    def test_blocks_that_learn_nothing_are_never_passed_over(self, adapter: dict[str, Any] | None) -> None:
        if adapter is not None:
            pytest.importorskip("peft", reason="needs the extra `train`")
        network = built(drop_path=0.5, adapter=adapter)
        frozen = freeze(network, network.parts(), Phase(steps=1, size=32, train=("backbone.4", "head")), place=0)
        network.train()
        for module in frozen:
            module.eval()
        drops = {name: module.training for name, module in network.named_modules() if name.endswith("drop_path")}
        assert {name for name, training in drops.items() if training} == {name for name in drops if ".stages.3." in name}
        assert len(drops) > 5


class TestWeights:
    def test_a_file_of_the_backbone(self, tmp_path: Path) -> None:
        first = built(seed=1)
        save_file({name: value.half() for name, value in first.backbone.state_dict().items()}, tmp_path / "backbone.safetensors")
        second = built(tmp_path, seed=2, weights="backbone.safetensors")
        assert torch.allclose(first.features(PICTURES), second.features(PICTURES), atol=0.02)
        assert not torch.allclose(first.features(PICTURES), built(seed=2).features(PICTURES), atol=0.02)

    def test_the_backbone_of_another_run(self, tmp_path: Path) -> None:
        first = built(seed=1)
        state = Checkpoint(step=1, weights={}, average=first.state_dict(), averaged=1, names={}, taught={})
        write_checkpoint(tmp_path / "last.ckpt", state)
        second = built(tmp_path, seed=2, weights="last.ckpt", hidden=8)
        assert torch.equal(first.features(PICTURES), second.features(PICTURES))
        write_checkpoint(tmp_path / "other.ckpt", replace(state, average={"backbone.stem.weight": torch.zeros(1)}))
        with pytest.raises(ConfigError, match=r"other.ckpt is of another architecture"):
            built(tmp_path, weights="other.ckpt")

    def test_a_missing_file_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"no such pretrained weights; set model.weights to null to go without"):
            built(tmp_path, weights="backbone.safetensors")

    def test_without_a_network_it_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        with pytest.raises(ConfigError) as caught:
            built(tmp_path, weights="hub")
        message = str(caught.value)
        assert message.startswith("model.weights: the weights of test_convnext cannot be downloaded")
        assert "put a safetensors file of its backbone on this machine and name it in model.weights" in message
        assert "\n" not in message


class TestNormalisation:
    def test_it_is_that_of_its_weights(self) -> None:
        assert built(architecture="test_convnext2").mean == (0.5, 0.5, 0.5)

    def test_it_is_what_was_measured(self, tmp_path: Path) -> None:
        figures = {"split": "train", "photos": 3, "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
        (tmp_path / "normalization.json").write_text(json.dumps(figures))
        plan = recipe(normalization="normalization.json").resolved(tmp_path)
        assert (plan.normalization, plan.mean, plan.std) == (None, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
        network = plan.build(OUTPUTS, None)
        assert (network.mean, network.std) == (plan.mean, plan.std)

    @pytest.mark.parametrize(("text", "message"), [(None, "cannot be read"), ("{}", "it needs `mean` and `std`")])
    def test_a_file_that_is_none_is_refused(self, tmp_path: Path, text: str | None, message: str) -> None:
        if text is not None:
            (tmp_path / "normalization.json").write_text(text)
        with pytest.raises(ConfigError, match=message):
            recipe(normalization="normalization.json").resolved(tmp_path)

    @pytest.mark.parametrize("given", [{"mean": (0, 0, 0)}, {"mean": (0, 0, 0), "std": (1, 1, 1), "normalization": "a.json"}])
    def test_half_of_it_or_both_is_refused(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            recipe(**given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "convnext_at"}, "timm has no model `convnext_at`; did you mean"),
        ({"architecture": "test_vit"}, "test_vit gives no maps of features; take a convolutional one"),
        ({"architecture": "vgg16", "drop_path": 0.1}, "vgg16 has no residual blocks to pass over; leave it out"),
    ],
)
def test_what_cannot_be_built_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        built(**changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
