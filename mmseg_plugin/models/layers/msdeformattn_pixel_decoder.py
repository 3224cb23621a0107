"""Pixel decoder of Mask2Former: multi-scale deformable attention and FPN."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import (
    MSDeformAttnPixelDecoder as MMDetMSDeformAttnPixelDecoder,
)
from torch import Tensor, nn

from mmseg_plugin.models.layers.deformable_attention import (
    encode_levels,
    use_deformable_attention,
)
from mmseg_plugin.models.layers.geometry import sine_positions
from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class MSDeformAttnPixelDecoder(MMDetMSDeformAttnPixelDecoder):
    """mmdet's, right for any number of FPN levels, initialised as published.

    mmdet builds its FPN convolutions from low to high resolution and looks
    them up from high to low, which agrees for one FPN level only. Here
    ``lateral_convs.i`` belongs to backbone level i, so files of models with
    one FPN level (all of mmdet's zoo) load unchanged. There is no
    synchronisation of host and device.

    Source: Mask2Former 9b0651c, modeling/pixel_decoder/msdeformattn.py.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lateral_convs = self.lateral_convs[::-1]
        self.output_convs = self.output_convs[::-1]
        use_deformable_attention(self.encoder)

    def init_weights(self) -> None:
        """As published: uniform where mmdet draws from a normal."""
        super().init_weights()
        for parameter in self.encoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.encoder.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Mask features and multi-scale maps.

        Args:
            feats: backbone maps (B, C_i, h_i, w_i), high to low resolution.

        Returns:
            Mask features (B, D, h_0, w_0) and ``num_outs`` maps (B, C, h, w),
            low to high resolution.
        """
        outs = self._encode(feats[: -self.num_encoder_levels - 1 : -1])
        for level in range(len(self.lateral_convs) - 1, -1, -1):
            lateral = self.lateral_convs[level](feats[level])
            upsampled = F.interpolate(
                outs[-1],
                lateral.shape[-2:],
                mode='bilinear',
                align_corners=False,
            )
            outs.append(self.output_convs[level](lateral + upsampled))
        return self.mask_feature(outs[-1]), outs[: self.num_outs]

    def _encode(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Encoded maps (B, C, h, w), in the order of ``feats``."""
        sizes = tuple(tuple(feat.shape[-2:]) for feat in feats)
        levels, positions = [], []
        for feat, size, convolution, encoding in zip(
            *(feats, sizes, self.input_convs, self.level_encoding.weight),
            strict=True,
        ):
            levels.append(convolution(feat).flatten(2).mT)
            position = sine_positions(self.postional_encoding, size, feat)
            positions.append(position + encoding)
        memory = encode_levels(
            self.encoder, torch.cat(levels, 1), torch.cat(positions, 1), sizes
        )
        parts = memory.split([level.shape[1] for level in levels], 1)
        return [
            part.mT.unflatten(2, size)
            for part, size in zip(parts, sizes, strict=True)
        ]
