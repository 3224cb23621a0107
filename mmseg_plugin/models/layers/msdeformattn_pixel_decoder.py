"""Pixel decoder of Mask2Former: multi-scale deformable attention and FPN."""

from typing import Any

from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import (
    MSDeformAttnPixelDecoder as MMDetMSDeformAttnPixelDecoder,
)
from torch import nn

from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class MSDeformAttnPixelDecoder(MMDetMSDeformAttnPixelDecoder):
    """mmdet's, right for any number of FPN levels, initialised as published.

    mmdet builds its FPN convolutions from low to high resolution and looks
    them up from high to low, which agrees for one FPN level only. Here
    ``lateral_convs.i`` belongs to backbone level i, so files of models with
    one FPN level (all of mmdet's zoo) load unchanged.

    Source: Mask2Former 9b0651c, modeling/pixel_decoder/msdeformattn.py.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lateral_convs = self.lateral_convs[::-1]
        self.output_convs = self.output_convs[::-1]

    def init_weights(self) -> None:
        """As published: uniform where mmdet draws from a normal."""
        super().init_weights()
        for parameter in self.encoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.encoder.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()
