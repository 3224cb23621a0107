"""Layers of Panoptic FCN."""

from collections.abc import Sequence
from typing import NamedTuple

from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmseg_plugin.models.layers.coord_conv import CoordConvStack
from mmseg_plugin.registry import MODELS

_GROUP_NORM = {'type': 'GN', 'num_groups': 32}


class PanopticFCNMaps(NamedTuple):
    """Outputs of the head, for each level from high to low resolution.

    Attributes:
        things: centre logits (B, Nt, h, w).
        regions: region logits (B, R, h, w).
        kernels: (B, C, h, w).
        features: (B, D, H/4, W/4), encoded features, of no level.
    """

    things: list[Tensor]
    regions: list[Tensor]
    kernels: list[Tensor]
    features: Tensor


class PanopticFCNLayers(BaseModule):
    """Semantic FPN, position head, kernel head and feature encoder.

    Args:
        semantic_fpn: config of the neck that the features come from.
        num_things: thing classes, Nt.
        num_regions: region classes, R.
        in_channels: of the FPN levels.
        position_head: arguments of :class:`CoordConvStack`.
        kernel_head: the same; its ``channels`` are those of a kernel, C.
        feature_encoder: the same; its ``channels`` are D.
        init_cfg: see mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        semantic_fpn: ConfigType,
        num_things: int,
        num_regions: int,
        in_channels: int = 256,
        position_head: OptConfigType = None,
        kernel_head: OptConfigType = None,
        feature_encoder: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        position = {
            'channels': 256,
            'conv_cfg': {'type': 'DCNv2'},
            'norm_cfg': _GROUP_NORM,
            **(position_head or {}),
        }
        kernel = {
            'channels': 256,
            'with_coord': True,
            'norm_cfg': _GROUP_NORM,
            **(kernel_head or {}),
        }
        encoder = {
            'channels': 64,
            'with_coord': True,
            **(feature_encoder or {}),
        }
        self.semantic_fpn = MODELS.build(semantic_fpn)
        self.position_convs = CoordConvStack(in_channels, **position)
        self.kernel_convs = CoordConvStack(in_channels, **kernel)
        self.feature_convs = CoordConvStack(
            self.semantic_fpn.out_channels, **encoder
        )

        def output(channels: int, num: int) -> nn.Conv2d:
            return nn.Conv2d(channels, num, 3, padding=1)

        self.conv_things = output(position['channels'], num_things)
        self.conv_regions = output(position['channels'], num_regions)
        channels = kernel['channels']
        self.conv_kernels = output(channels, channels)
        self.thing_embed = nn.Linear(channels, encoder['channels'])
        self.region_embed = nn.Linear(channels, encoder['channels'])

    def init_weights(self) -> None:
        """As published: N(0, 0.01), and a score of 0.1 everywhere."""
        super().init_weights()
        for module in (
            self.conv_things,
            self.conv_regions,
            self.conv_kernels,
            self.thing_embed,
            self.region_embed,
        ):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
        for module in (self.conv_things, self.conv_regions):
            nn.init.constant_(module.bias, -2.19)

    def forward(
        self,
        x: Sequence[Tensor],
        batch_data_samples: SampleList | None = None,
    ) -> PanopticFCNMaps:
        """Maps of every level.

        Args:
            x: FPN levels of strides 4 to 128; the semantic FPN takes the
                first four, the heads all but the first.
            batch_data_samples: not used.
        """
        positions = [self.position_convs(level) for level in x[1:]]
        return PanopticFCNMaps(
            [self.conv_things(level) for level in positions],
            [self.conv_regions(level) for level in positions],
            [self.conv_kernels(self.kernel_convs(level)) for level in x[1:]],
            self.feature_convs(self.semantic_fpn(x)),
        )
