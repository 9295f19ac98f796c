"""The network of the default bundle: shapes of its answers, and what training may change of it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("timm", reason="needs the extra `train`")

from dentify.training.models.efficientnet_fpn import EfficientNetFPN


def network(frozen_stages: int = 0, drop_path: float = 0.0, *, only_labels: bool = False) -> EfficientNetFPN:
    return EfficientNetFPN(
        encoder="tf_efficientnet_b0",
        num_types=5,
        num_parts=18,
        num_levels=3,
        width=8,
        fine_width=8,
        frozen_stages=frozen_stages,
        drop_path=drop_path,
        only_labels=only_labels,
    )


def test_maps_are_halves_and_quarters_of_the_photo() -> None:
    with torch.inference_mode():
        outputs = network().eval()(torch.zeros(2, 3, 64, 64))
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "types": (2, 5, 32, 32),
        "any": (2, 1, 32, 32),
        "centres": (2, 5, 16, 16),
        "offsets": (2, 10, 16, 16),
        "parts": (2, 19, 16, 16),
        "severity_maps": (2, 3, 16, 16),
        "vehicle": (2, 1),
        "damage": (2, 1),
        "severity": (2, 3),
    }


def test_frozen_stages_keep_weights_and_statistics() -> None:
    half_frozen = network(frozen_stages=3)
    before = {name: value.clone() for name, value in half_frozen.state_dict().items()}
    optimizer = torch.optim.SGD((p for p in half_frozen.parameters() if p.requires_grad), lr=1.0)
    sum(output.square().mean() for output in half_frozen(torch.randn(2, 3, 64, 64)).values()).backward()
    optimizer.step()
    changed = {name for name, value in half_frozen.state_dict().items() if not torch.equal(value, before[name])}
    frozen = ("encoder.conv_stem.", "encoder.bn1.", "encoder.blocks.0.", "encoder.blocks.1.")
    assert not {name for name in changed if name.startswith(frozen)}
    assert {"encoder.blocks.2.0.conv_dw.weight", "encoder.blocks.2.0.bn1.running_mean", "lateral4.weight"} <= changed


def test_labels_alone_can_be_taught() -> None:
    settled = network(only_labels=True)
    before = {name: value.clone() for name, value in settled.state_dict().items()}
    optimizer = torch.optim.AdamW(settled.parameters(), lr=0.1)
    sum(output.square().mean() for output in settled(torch.randn(2, 3, 64, 64)).values()).backward()
    optimizer.step()
    changed = {name for name, value in settled.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("photo.") for name in changed)


def test_residual_blocks_are_passed_over_in_training_alone() -> None:
    often = network(drop_path=0.5)
    photos = torch.randn(2, 3, 64, 64)

    def features() -> torch.Tensor:
        return often.encoder(photos)[-1]

    often.train()
    for module in often.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.Dropout):
            module.eval()  # what is left to chance are the blocks
    assert not torch.equal(features(), features())
    often.eval()
    assert torch.equal(features(), features())
