"""Sums FPN levels at the resolution of the first."""

from collections.abc import Sequence

from mmdet.models.layers import ConvUpsample
from mmdet.utils import ConfigType, OptMultiConfig
from mmengine.model import BaseModule, ModuleList
from torch import Tensor

from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class SemanticFPN(BaseModule):
    """Semantic branch of Panoptic FPN (arXiv 1901.02446, figure 3).

    Level i passes max(i, 1) convolutions, and is doubled i times on its way.

    Args:
        in_channels: of each level.
        out_channels: of each convolution.
        num_levels: levels, of strides 4, 8, 16 ...
        norm_cfg: norm after each convolution.
        init_cfg: see mmengine's ``BaseModule``; He initialisation as
            published by default.
    """

    def __init__(
        self,
        in_channels: int = 256,
        out_channels: int = 256,
        num_levels: int = 4,
        norm_cfg: ConfigType = {'type': 'GN', 'num_groups': 32},  # noqa: B006
        init_cfg: OptMultiConfig = {  # noqa: B006
            'type': 'Kaiming',
            'layer': 'Conv2d',
            'distribution': 'normal',
        },
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.out_channels = out_channels
        self.levels = ModuleList(
            ConvUpsample(
                in_channels,
                out_channels,
                num_layers=max(level, 1),
                num_upsample=level,
                norm_cfg=norm_cfg,
            )
            for level in range(num_levels)
        )

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        """Sum (B, out_channels, H/4, W/4) of the levels.

        Args:
            x: at least ``num_levels`` maps, each half as large as the one
                before it.
        """
        return sum(level(y) for level, y in zip(self.levels, x, strict=False))
