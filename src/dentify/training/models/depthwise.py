"""Depthwise convolutions whose gradient is fast on a CPU in bfloat16.

oneDNN has fast kernels for the forward pass, and for the gradients of 3×3 kernels at stride 1 or 2 with respect to the weights;
the others fall back to a reference loop, which took two thirds of a training step of EfficientNet-B0. Here every gradient is
expressed in the fast ones: that of the input is a forward pass over the (zero-stuffed) gradient with the kernel turned
by 180 degrees, and that of a 5×5 kernel is put together from four 3×3 ones. The figures are the same; see the tests.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class _Depthwise(torch.autograd.Function):
    """`F.conv2d` with one filter a channel and no bias; stride 2 only without padding."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(images, weight, stride=stride, padding=padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        images, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:
            of_images = _gradient_of_images(gradient, images, weight, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[1]:
            of_weight = _gradient_of_weight(gradient, images, weight, ctx.stride, ctx.padding)
        return of_images, of_weight, None, None


def _gradient_of_images(gradient: Tensor, images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    edge = weight.shape[-1] - 1
    if stride == 1:
        return F.conv2d(gradient, weight.flip(2, 3), padding=edge - padding, groups=len(weight))
    # The gradient's pixels, `stride` apart on a ground of zeros. What no window reached at the far edges gets none.
    batch, channels, rows, columns = gradient.shape
    height, width = images.shape[2:]
    stuffed = gradient.new_zeros((batch, height - edge, width - edge, channels)).permute(0, 3, 1, 2)
    stuffed[:, :, : rows * stride : stride, : columns * stride : stride] = gradient
    return F.conv2d(stuffed, weight.flip(2, 3), padding=edge, groups=len(weight))


def _gradient_of_weight(gradient: Tensor, images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    kernel = weight.shape[-1]

    def of_block(window: Tensor, block: Tensor, pad: int) -> Tensor:
        result: Tensor = torch.ops.aten.convolution_backward(
            gradient, window, block, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], len(weight), [False, True, False]
        )[1]
        return result

    if kernel == 3:
        return of_block(images, weight, padding)
    images = F.pad(images, [padding] * 4)
    rows, columns = ((side - 1) * stride + 3 for side in gradient.shape[2:])
    result = torch.empty_like(weight)
    for top in (0, kernel - 3):
        for left in (0, kernel - 3):
            window = images[:, :, top : top + rows, left : left + columns]
            block = weight[:, :, top : top + 3, left : left + 3].contiguous()
            part = of_block(window.contiguous(memory_format=torch.channels_last), block, 0)
            result[:, :, top : top + 3, left : left + 3] = part
    return result


class DepthwiseConv2d(nn.Module):
    """One filter a channel, 3×3 or 5×5, without bias; padded by half the kernel, or as TensorFlow's `SAME` does.

    Args:
        convolution: the one that it stands for; its weights are shared.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight = convolution.weight
        self.stride = convolution.stride[0]
        self.padding = convolution.kernel_size[0] // 2
        self.same = type(convolution).__name__ == "Conv2dSame"

    @staticmethod
    def fits(module: nn.Module) -> bool:
        """Whether it can stand for this module."""
        return (
            isinstance(module, nn.Conv2d)
            and module.groups == module.in_channels == module.out_channels
            and module.kernel_size in {(3, 3), (5, 5)}
            and module.bias is None
            and module.dilation == (1, 1)
            and (type(module).__name__ == "Conv2dSame" or module.padding == (module.kernel_size[0] // 2,) * 2)
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / stride, W / stride)."""
        padding = self.padding
        if self.stride > 1:
            down, across = (self._same(side) if self.same else 2 * self.padding for side in images.shape[2:])
            images = F.pad(images, [across // 2, across - across // 2, down // 2, down - down // 2])
            padding = 0
        if not (self.training and images.device.type == "cpu"):
            return F.conv2d(images, self.weight, stride=self.stride, padding=padding, groups=len(self.weight))
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            images, weight = images.to(kind), weight.to(kind)
        images = images.contiguous(memory_format=torch.channels_last)
        result: Tensor = _Depthwise.apply(images, weight, self.stride, padding)
        return result

    def _same(self, side: int) -> int:
        kernel = self.weight.shape[-1]
        return max((-(-side // self.stride) - 1) * self.stride + kernel - side, 0)


def speed_up_depthwise(network: nn.Module) -> None:
    """Puts `DepthwiseConv2d` in the place of every depthwise convolution that it can stand for."""
    for name, module in list(network.named_modules()):
        if DepthwiseConv2d.fits(module):
            network.set_submodule(name, DepthwiseConv2d(module))
