"""Modulated deformable convolution by operators that ONNX has."""

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.ops import ModulatedDeformConv2dPack
from torch import Tensor, nn

from mmseg_plugin.cli.cli import UserError


class SampledDeformConv(ModulatedDeformConv2dPack):
    """mmcv's module by ``GridSample``, of one group and stride 1.

    Source: "Deformable ConvNets v2" (arXiv 1811.11168), section 3.2.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h, w)."""
        height, width = x.shape[-2:]
        count = self.kernel_size[0] * self.kernel_size[1]
        offsets, weights = self.conv_offset(x).split((2 * count, count), 1)
        moved = []
        for axis, length in enumerate((height, width)):
            # Of the type of x from the start: whole numbers that a fixed size
            # leaves in the graph would make the exporter's grid float64.
            like: dict[str, Any] = {'dtype': x.dtype, 'device': x.device}
            centres = torch.arange(length, **like) + 0.5
            reach = torch.arange(self.kernel_size[axis], **like)
            reach = reach * self.dilation[axis] - self.padding[axis]
            # Of the taps, row by row.
            taps = reach[:, None] if axis == 0 else reach[None]
            taps = taps.expand(*self.kernel_size).reshape(-1, 1, 1)
            centres = centres[:, None] if axis == 0 else centres[None]
            # Offsets are pairs (y, x).
            place = centres + taps + offsets[:, axis::2]
            moved.append(place * 2 / torch.as_tensor(length).to(x) - 1)
        rows, columns = moved
        grid = torch.stack((columns, rows), -1).flatten(1, 2)
        sampled = F.grid_sample(x, grid, align_corners=False)
        sampled = sampled.unflatten(2, (count, height))
        sampled = sampled * weights.sigmoid()[:, None]
        kernel = self.weight.flatten(2).flatten(1)
        output = kernel @ sampled.flatten(1, 2).flatten(2)
        output = output.unflatten(2, (height, width))
        if self.bias is None:
            return output
        return output + self.bias[:, None, None]


def use_sampled_convolutions(model: nn.Module) -> None:
    """Changes how a model's deformable convolutions compute.

    Args:
        model: changed in place; its state dict stays the same.

    Raises:
        UserError: they have groups or a stride.
    """
    for name, part in model.named_modules():
        if not isinstance(part, ModulatedDeformConv2dPack):
            continue
        plain = part.groups == part.deform_groups == 1
        if not plain or part.stride != (1, 1):
            raise UserError(
                f'{name}: deformable convolutions with groups or a stride '
                'cannot be exported'
            )
        # Only the way it computes differs.
        part.__class__ = SampledDeformConv
