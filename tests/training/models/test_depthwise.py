"""The fast gradients of depthwise convolutions are those of PyTorch's own."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
timm_layers = pytest.importorskip("timm.layers", reason="needs the extra `train`")

from torch import nn

from dentify.training.models.depthwise import DepthwiseConv2d, speed_up_depthwise


def depthwise(kernel: int, stride: int, *, same: bool) -> nn.Conv2d:
    if same:
        return timm_layers.Conv2dSame(6, 6, kernel, stride, groups=6, bias=False)
    return nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6, bias=False)


@pytest.mark.parametrize("same", [True, False], ids=["same", "symmetric"])
@pytest.mark.parametrize("side", [16, 17])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_outputs_and_gradients_equal_torchs(kernel: int, stride: int, side: int, same: bool) -> None:
    torch.manual_seed(0)
    plain = depthwise(kernel, stride, same=same)
    fast = DepthwiseConv2d(copy.deepcopy(plain)).train()
    images = torch.randn(3, 6, side, side + 3, requires_grad=True)
    same_images = images.detach().clone().requires_grad_()
    expected, outputs = plain(images), fast(same_images)
    torch.testing.assert_close(outputs, expected)
    gradient = torch.randn_like(expected)
    expected.backward(gradient)
    outputs.backward(gradient)
    torch.testing.assert_close(same_images.grad, images.grad)
    torch.testing.assert_close(fast.weight.grad, plain.weight.grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(fast.eval()(images), expected)


def test_frozen_weights_get_no_gradient() -> None:
    layer = DepthwiseConv2d(depthwise(3, 1, same=False)).train().requires_grad_(False)
    images = torch.randn(1, 6, 8, 8, requires_grad=True)
    layer(images).sum().backward()
    assert layer.weight.grad is None
    assert images.grad is not None


def test_only_depthwise_convolutions_are_replaced_and_weights_keep_their_names() -> None:
    too_large = nn.Conv2d(6, 6, 7, groups=6, bias=False)
    network = nn.Sequential(nn.Conv2d(6, 6, 3), nn.Sequential(depthwise(5, 2, same=True)), too_large)
    names = list(network.state_dict())
    speed_up_depthwise(network)
    kinds = [type(module).__name__ for module in (network[0], network[1][0], network[2])]
    assert kinds == ["Conv2d", "DepthwiseConv2d", "Conv2d"]
    assert list(network.state_dict()) == names
