"""Adapters: beside every linear layer of a part, and one with it at export."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("peft", reason="needs the extra `train`")

from pydantic import ValidationError
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.training.adapters import BASE, AdapterRecipe, add_adapters, apart_from_bases, merge_adapters


class Small(nn.Module):
    """A stem without any linear layer, and a stage with one, a convolution that is one, and a depthwise one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 1, groups=8)
        self.pointwise = nn.Conv2d(8, 8, 1)
        self.linear = nn.Linear(8, 4)

    def parts(self) -> dict[str, list[nn.Module]]:
        parts = {"stage.0": [self.stem], "stage.1": [self.depthwise, self.pointwise, self.linear]}
        return apart_from_bases(self, parts)

    def forward(self, images: Tensor) -> Tensor:
        told: Tensor = self.linear(self.pointwise(self.depthwise(self.stem(images))).mean((2, 3)))
        return told


def adapted(**recipe: Any) -> Small:
    torch.manual_seed(0)
    network = Small()
    add_adapters(network, network.parts(), AdapterRecipe(**{"of": ("stage.1",), "rank": 2} | recipe))
    return network.eval()


def moved(network: Small) -> Small:
    """With adapters that have learned something."""
    for name, weights in network.named_parameters():
        if "lora_" in name:
            nn.init.normal_(weights, mean=0.3, std=0.1)
    return network


PICTURES = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)


@pytest.mark.parametrize("kind", ["dora", "lora"])
class TestOfEitherKind:
    def test_at_first_it_changes_no_answer(self, kind: str) -> None:
        network = adapted(kind=kind)
        torch.manual_seed(0)
        assert torch.allclose(network(PICTURES), Small().eval()(PICTURES), atol=1e-6)

    def test_merged_it_answers_as_before_and_is_gone(self, kind: str) -> None:
        network = moved(adapted(kind=kind))
        before = network(PICTURES)
        assert not torch.allclose(before, adapted(kind=kind)(PICTURES), atol=1e-2)
        merge_adapters(network)
        assert torch.allclose(network(PICTURES), before, atol=1e-5)
        assert list(network.state_dict()) == list(Small().state_dict())

    def test_the_weights_under_it_are_a_part_of_their_own(self, kind: str) -> None:
        network = adapted(kind=kind)
        parts = network.parts()
        assert parts[BASE] == [network.pointwise.base_layer, network.linear.base_layer]
        held = [id(weights) for modules in parts.values() for module in modules for weights in module.parameters()]
        assert sorted(held) == sorted(id(weights) for weights in network.parameters())


def test_layers_that_see_neighbours_or_one_channel_get_none() -> None:
    names = [name for name, _ in adapted().named_parameters() if "lora_A" in name]
    assert {name.partition(".")[0] for name in names} == {"pointwise", "linear"}


def test_a_network_without_any_stays_as_it_is() -> None:
    network = Small().eval()
    before = network(PICTURES)
    merge_adapters(network)
    assert torch.equal(network(PICTURES), before)
    assert BASE not in network.parts()


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (["stage.0"], "model.adapter.of: stage.0 of this network holds no linear layer"),
        (["stag"], "model.adapter.of: the network has no part `stag`, did you mean `stage`"),
    ],
)
def test_parts_without_a_linear_layer_are_refused(of: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        adapted(of=of)
    assert str(caught.value).startswith(message.partition(",")[0])


def test_an_adapter_is_on_something() -> None:
    with pytest.raises(ValidationError):
        AdapterRecipe(of=())
