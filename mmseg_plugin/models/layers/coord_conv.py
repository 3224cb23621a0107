"""Convolutions that may see where they are."""

import torch
from mmcv.cnn import ConvModule
from mmcv.ops import DeformConv2dPack, ModulatedDeformConv2dPack
from mmdet.utils import OptConfigType
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn

from mmseg_plugin.utils.precision import at_least_float32, without_autocast


def with_coordinates(x: Tensor) -> Tensor:
    """Appends the row and the column of each pixel, from -1 to 1.

    "An intriguing failing of convolutional neural networks and the CoordConv
    solution" (arXiv 1807.03247); rows first, as Panoptic FCN has them.

    Args:
        x: (B, C, h, w).

    Returns:
        (B, C + 2, h, w).
    """
    batch, _, height, width = x.shape
    rows = torch.linspace(-1, 1, height, device=x.device, dtype=x.dtype)
    columns = torch.linspace(-1, 1, width, device=x.device, dtype=x.dtype)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij'))
    return torch.cat((x, grid.expand(batch, -1, -1, -1)), 1)


class _InFloat32(nn.Module):
    """A layer that runs outside autocast."""

    @without_autocast
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(at_least_float32(x))


class _DCN(_InFloat32, DeformConv2dPack):
    """Deformable convolution; mmcv's has no bfloat16 kernel."""


class _DCNv2(_InFloat32, ModulatedDeformConv2dPack):
    """Modulated deformable convolution; mmcv's has no bfloat16 kernel."""


_FLOAT32 = {DeformConv2dPack: _DCN, ModulatedDeformConv2dPack: _DCNv2}


class CoordConvStack(BaseModule):
    """3x3 convolutions, each with norm and ReLU, the same on every level.

    Args:
        in_channels: of the input.
        channels: of every convolution.
        num_convs: how many.
        with_coord: give the first convolution coordinates too.
        conv_cfg: ``dict(type='DCNv2')`` for modulated deformable
            convolutions, which run in float32 under autocast; plain ones
            if None.
        norm_cfg: norm after each convolution, which then has no bias.
        std: of the normal distribution that weights start from.
        init_cfg: see mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_convs: int = 3,
        with_coord: bool = False,
        conv_cfg: OptConfigType = None,
        norm_cfg: OptConfigType = None,
        std: float = 0.01,
        init_cfg: OptConfigType = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.with_coord = with_coord
        self.std = std
        widths = [in_channels + 2 * with_coord] + [channels] * num_convs
        self.convs = Sequential(
            *(
                ConvModule(
                    before,
                    after,
                    3,
                    padding=1,
                    conv_cfg=conv_cfg,
                    norm_cfg=norm_cfg,
                )
                for before, after in zip(widths[:-1], widths[1:], strict=True)
            )
        )
        for module in self.convs:
            # Only the precision differs.
            kind = type(module.conv)
            module.conv.__class__ = _FLOAT32.get(kind, kind)

    def init_weights(self) -> None:
        """Small normal weights; offsets of deformable ones stay at zero."""
        super().init_weights()
        for module in self.convs:
            nn.init.normal_(module.conv.weight, std=self.std)
            # DCN has none.
            if getattr(module.conv, 'bias', None) is not None:
                nn.init.zeros_(module.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) -> (B, channels, h, w)."""
        return self.convs(with_coordinates(x) if self.with_coord else x)
