"""What photos taught, and the channels that are left of a head that was taught in part."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from torch import Tensor, nn

from dentify.training.as_onnx import Exported
from dentify.training.taught import taught_heads
from toy_bench import toy_recipe


def test_the_channels_of_what_is_left_are_those_that_it_was_taught_in() -> None:
    heads = toy_recipe(classes={"damage": ["scratch", "dent", "hail_mark"], "parts": ["hood", "roof"]}).build_heads()
    taught = {"types": ["dent"], "any": ["any"], "centres": ["dent"], "offsets": ["dent", "hail_mark"], "parts": ["roof"]}
    kept = taught_heads(heads, taught)
    assert {name: one.channels for name, one in kept.items()} == {
        "types": [1],
        "any": [0],
        "centres": [1],
        "offsets": [2, 3],
        "parts": [1, 2],
    }
    cut = Exported(_Counting(heads), kept)(torch.zeros(1, 3, 32, 32))
    assert cut["parts"][0, :, 0, 0].tolist() == [1, 2]
    assert cut["offsets"][0, :, 0, 0].tolist() == [2, 3]


class _Counting(nn.Module):
    """Answers each head with the numbers of its channels."""

    def __init__(self, heads: Any) -> None:
        super().__init__()
        self.channels = {name: head.output.channels for name, head in heads.items()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {name: torch.arange(count).float().view(1, -1, 1, 1).expand(1, -1, 2, 2) for name, count in self.channels.items()}


@pytest.mark.parametrize(
    ("taught", "left_out"),
    [
        ({"types": ["dent", "hail_mark"], "centres": ["dent"]}, "centres"),
        ({"types": [], "any": ["any"], "centres": ["dent"]}, "any"),
        ({"vehicle": ["yes"]}, "vehicle"),
        ({"severity": ["minor"]}, "severity"),
    ],
    ids=["middles of one of two types", "help for nothing", "a gate that saw one answer", "one level"],
)
def test_what_is_taught_in_part_is_left_out(taught: dict[str, list[str]], left_out: str) -> None:
    assert left_out not in taught_heads(toy_recipe().build_heads(), taught)


def test_two_heads_of_severity_tell_the_levels_that_both_were_taught() -> None:
    taught = {"severity_maps": ["minor", "moderate", "severe"], "severity": ["minor", "severe"]}
    kept = taught_heads(toy_recipe().build_heads(), taught)
    assert [kept[name].names for name in ("severity_maps", "severity")] == [("minor", "severe")] * 2
    assert kept["severity_maps"].channels == [0, 2]
