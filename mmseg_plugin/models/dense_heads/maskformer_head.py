"""MaskFormer head: a DETR decoder on factored mask logits."""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import Conv2d, ConvModule
from mmdet.models.layers import (
    DetrTransformerDecoder,
    TransformerEncoderPixelDecoder,
)
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType
from mmengine.model import caffe2_xavier_init
from torch import Tensor, nn

from mmseg_plugin.models.dense_heads.mask_query_head import (
    MaskQueryHead,
    sine_encoding,
)
from mmseg_plugin.models.layers.fused_attention import fuse_attention
from mmseg_plugin.models.layers.geometry import padded_positions, padding_of
from mmseg_plugin.models.layers.transformer_pixel_decoder import (
    keep_positions,
)
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, QueryPredictions


@MODELS.register_module()
class MaskFormerHead(MaskQueryHead):
    """Predicts a class and a mask for each query, after every layer.

    Parameter names are those of mmdet's head.

    Source: "Per-Pixel Classification is Not All You Need for Semantic
    Segmentation" (arXiv 2107.06278), section 3.3, and MaskFormer da3e60d,
    modeling/transformer/transformer_predictor.py.

    Args:
        in_channels: of each backbone level, high to low resolution.
        feat_channels: of the pixel decoder's maps.
        out_channels: of the mask features, D.
        pixel_decoder: config of mmdet's ``PixelDecoder`` or
            ``TransformerEncoderPixelDecoder``; channels are filled in.
        transformer_decoder: arguments of mmdet's DETR decoder.
        positional_encoding: arguments of mmdet's sine encoding; normalised,
            of the decoder's width if None.
        enforce_decoder_input_project: a 1x1 convolution on the decoder's
            input even if the channels agree.
        padding_mask: keep attention off the padding of smaller images in a
            batch, as mmdet does; the published model does not. Without data
            samples there is no padding.
        kwargs: see :class:`MaskQueryHead`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        feat_channels: int,
        out_channels: int,
        pixel_decoder: ConfigType,
        transformer_decoder: ConfigType,
        positional_encoding: OptConfigType = None,
        enforce_decoder_input_project: bool = False,
        padding_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        decoder = DetrTransformerDecoder(**transformer_decoder)
        embed_dims = decoder.embed_dims
        super().__init__(
            embed_dims=embed_dims,
            out_channels=out_channels,
            pixel_decoder={
                **pixel_decoder,
                'in_channels': in_channels,
                'feat_channels': feat_channels,
                'out_channels': out_channels,
            },
            **kwargs,
        )
        self.padding_mask = padding_mask
        keep_positions(self.pixel_decoder)
        self.transformer_decoder = decoder
        fuse_attention(self)
        encoded = isinstance(
            self.pixel_decoder, TransformerEncoderPixelDecoder
        )
        memory_channels = feat_channels if encoded else in_channels[-1]
        self.decoder_input_proj = (
            Conv2d(memory_channels, embed_dims, 1)
            if memory_channels != embed_dims or enforce_decoder_input_project
            else nn.Identity()
        )
        self.decoder_pe = sine_encoding(positional_encoding, embed_dims)

    def init_weights(self) -> None:
        """As published; mmdet's pixel decoder misses two convolutions."""
        for module in self.pixel_decoder.modules():
            if isinstance(module, ConvModule):
                caffe2_xavier_init(module.conv, bias=0)
        if isinstance(self.decoder_input_proj, Conv2d):
            caffe2_xavier_init(self.decoder_input_proj, bias=0)
        super().init_weights()

    def _metas(
        self, memory: Tensor, batch_data_samples: SampleList | None
    ) -> list[dict]:
        """Shapes of the images, or one for all if none is padded."""
        if not self.padding_mask or batch_data_samples is None:
            size = tuple(memory.shape[-2:])
            return [{'batch_input_shape': size, 'img_shape': size}]
        return [sample.metainfo for sample in batch_data_samples]

    def forward(
        self, x: Sequence[Tensor], batch_data_samples: SampleList | None
    ) -> QueryPredictions:
        """Predictions after each decoder layer.

        Args:
            x: backbone maps (B, C_i, h_i, w_i), high to low resolution.
            batch_data_samples: read for the images' shapes if padding is
                masked.
        """
        metas = self._metas(x[-1], batch_data_samples)
        # mmdet's own decoders want those of each image.
        every = metas if len(metas) > 1 else metas * len(x[-1])
        mask_features, memory = self.pixel_decoder(x, every)
        place = (
            metas[0]['batch_input_shape'],
            tuple(memory.shape[-2:]),
            [meta['img_shape'][:2] for meta in metas],
            memory.device,
        )
        pos = padded_positions(self.decoder_pe, *place)
        memory = self.decoder_input_proj(memory).flatten(2).transpose(1, 2)
        query_pos = self.query_embed.weight.expand(memory.shape[0], -1, -1)
        decoded = self.transformer_decoder(
            query=torch.zeros_like(query_pos),
            key=memory,
            value=memory,
            query_pos=query_pos,
            key_pos=pos.to(memory),
            key_padding_mask=padding_of(*place).flatten(1)
            if self.padding_mask
            else None,
        )
        return QueryPredictions(
            self.cls_embed(decoded),
            MaskLogits(self.mask_embed(decoded), mask_features),
        )
