"""A query model in one class: ``forward()``; the rest is shared."""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from torch import Tensor, nn

from mmseg_plugin.models.dense_heads.mask_query_head import MaskQueryHead
from mmseg_plugin.structures import MaskLogits, QueryPredictions


@MODELS.register_module()
class PlainQueryHead(MaskQueryHead):
    """Queries attend to the smallest map, through torch's own decoder.

    Targets, matching, losses and results are those of Mask2Former.

    Args:
        in_channels: of the backbone's maps, high to low resolution.
        channels: of queries and mask features.
        num_layers: of the decoder.
        **kwargs: of :class:`MaskQueryHead`.
    """

    def __init__(
        self,
        in_channels: list[int],
        channels: int = 64,
        num_layers: int = 2,
        **kwargs,
    ) -> None:
        pixel_decoder = {
            'type': 'mmdet.PixelDecoder',
            'in_channels': in_channels,
            'feat_channels': channels,
            'out_channels': channels,
            'norm_cfg': {'type': 'GN', 'num_groups': 8},
        }
        super().__init__(channels, channels, pixel_decoder, **kwargs)
        layer = nn.TransformerDecoderLayer(
            channels, 4, 4 * channels, dropout=0.0, batch_first=True
        )
        self.transformer_decoder = nn.TransformerDecoder(layer, num_layers)
        self.memory_proj = nn.Conv2d(in_channels[-1], channels, 1)

    def forward(
        self, x: Sequence[Tensor], batch_data_samples: SampleList | None
    ) -> QueryPredictions:
        """Predictions after each layer from maps (B, C_i, h_i, w_i)."""
        features, _ = self.pixel_decoder(x, None)
        memory = self.memory_proj(x[-1]).flatten(2).mT
        query = self.query_embed.weight.expand(len(memory), -1, -1)
        layers = []
        for layer in self.transformer_decoder.layers:
            query = layer(query, memory)
            layers.append(query)
        decoded = torch.stack(layers)
        return QueryPredictions(
            self.cls_embed(decoded),
            MaskLogits(self.mask_embed(decoded), features),
        )
