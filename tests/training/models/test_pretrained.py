"""Networks of timm by name, and weights out of files: what is wrong with them is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from safetensors.torch import save_file
from torch import nn

from dentify.errors import ConfigError
from dentify.training.models.pretrained import read_weights, timm_model, timm_pyramid


def test_weights_may_be_stored_in_half_precision(tmp_path: Path) -> None:
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    save_file({name: value.half() for name, value in first.state_dict().items()}, tmp_path / "linear.safetensors")
    read_weights(second, tmp_path / "linear.safetensors", "linear", advice="")
    assert second.weight.dtype == torch.float32
    assert torch.allclose(first.weight, second.weight, atol=1e-3)


@pytest.mark.parametrize("name", ["test_convnext", "test_resnet"])
def test_what_timm_publishes_fits_the_encoder_of_a_pyramid(name: str, tmp_path: Path) -> None:
    """Within these, timm calls the weights of some architectures otherwise."""
    whole = timm_model(name, key="encoder", weights="weights", pretrained=False, advice="")
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    encoder = timm_pyramid(name, key="encoder", weights="weights", pretrained=False)
    read_weights(encoder, tmp_path / "whole.safetensors", name, advice="")
    first = next(iter(whole.parameters()))
    assert any(torch.equal(first, one) for one in encoder.parameters())


@pytest.mark.parametrize("content", [b"", b"no safetensors at all", b"\xff" * 64], ids=["empty", "text", "huge header"])
def test_a_file_of_something_else_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"weights.safetensors: cannot be read as safetensors: \S") as caught:
        read_weights(nn.Linear(2, 1), path, "linear", advice="")
    assert "\n" not in str(caught.value)


def test_weights_of_another_architecture_say_what_differs(tmp_path: Path) -> None:
    save_file(nn.Linear(3, 1).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match=r"are not weights of linear: size mismatch for weight"):
        read_weights(nn.Linear(2, 1), tmp_path / "other.safetensors", "linear", advice="")


def test_of_many_weights_that_are_missing_some_are_named(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError) as caught:
        read_weights(nn.Sequential(*(nn.Linear(2, 2) for _ in range(100))), tmp_path / "other.safetensors", "linear", advice="")
    said = str(caught.value).partition("are not weights of linear: ")[2]
    assert said.startswith('Missing key(s) in state_dict: "0.weight", "0.bias"')
    assert len(said) <= 160


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.safetensors: no such pretrained weights; take a walk$"):
        read_weights(nn.Linear(2, 1), tmp_path / "none.safetensors", "linear", advice="take a walk")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test_resne", r"^model.key: timm has no model `test_resne`; did you mean `test_resnet`"),
        ("test_resnet.of_mine", r"^model.key: timm cannot build test_resnet.of_mine \(Invalid pretrained tag"),
    ],
)
def test_a_name_that_timm_does_not_know(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        timm_model(name, key="model.key", weights="", pretrained=False, advice="")
