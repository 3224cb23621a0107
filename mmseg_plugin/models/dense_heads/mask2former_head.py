"""Mask2Former head: masked attention on factored mask logits."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import Conv2d
from mmdet.models.layers import (
    Mask2FormerTransformerDecoder,
)
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType
from mmengine.model import ModuleList, caffe2_xavier_init
from torch import Tensor, nn

from mmseg_plugin.models.criterions import QueryCriterion
from mmseg_plugin.models.dense_heads.mask_query_head import (
    MaskQueryHead,
    sine_encoding,
)
from mmseg_plugin.models.layers.fused_attention import fuse_attention
from mmseg_plugin.models.layers.geometry import sine_positions
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, QueryPredictions
from mmseg_plugin.utils.precision import float32_island


@MODELS.register_module()
class Mask2FormerHead(MaskQueryHead):
    """Predicts a class and a mask for each query, after every layer.

    Parameter names are those of mmdet's head. A query attends to the pixels
    inside its last mask; that mask comes from features resized to the
    attention's resolution, so no map of queries x (H/4 x W/4) is built.
    Neither the published model nor mmdet's masks padding.

    Source: "Masked-attention Mask Transformer for Universal Image
    Segmentation" (arXiv 2112.01527), section 3.2, and Mask2Former 9b0651c,
    modeling/transformer_decoder/mask2former_transformer_decoder.py.

    Args:
        in_channels: of each backbone level, high to low resolution.
        feat_channels: of the pixel decoder's maps.
        out_channels: of the mask features, D.
        pixel_decoder: config; channels and strides are filled in.
        transformer_decoder: arguments of mmdet's decoder. ``num_layers``
            does not count the prediction from the learnable queries.
        positional_encoding: arguments of mmdet's sine encoding; normalised,
            of the decoder's width if None.
        num_transformer_feat_level: pixel decoder maps that the decoder
            looks at in turn, from the lowest resolution on.
        strides: of each backbone level.
        enforce_decoder_input_project: a 1x1 convolution on those maps even
            if the channels agree.
        autocast: the pixel decoder stays in autocast where there is one; in
            float32, as published, if False.
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
        num_transformer_feat_level: int = 3,
        strides: Sequence[int] = (4, 8, 16, 32),
        enforce_decoder_input_project: bool = False,
        autocast: bool = False,
        **kwargs: Any,
    ) -> None:
        decoder = Mask2FormerTransformerDecoder(**transformer_decoder)
        embed_dims = decoder.embed_dims
        levels = {'in_channels': in_channels, 'strides': strides}
        sizes = {'feat_channels': feat_channels, 'out_channels': out_channels}
        super().__init__(
            embed_dims=embed_dims,
            out_channels=out_channels,
            pixel_decoder={**pixel_decoder, **levels, **sizes},
            criterion=partial(QueryCriterion, num_initial=1),
            **kwargs,
        )
        self.autocast = autocast
        self.num_levels = num_transformer_feat_level
        self.transformer_decoder = decoder
        fuse_attention(self.transformer_decoder)
        project = embed_dims != feat_channels or enforce_decoder_input_project
        self.decoder_input_projs = ModuleList(
            Conv2d(feat_channels, embed_dims, 1) if project else nn.Identity()
            for _ in range(self.num_levels)
        )
        self.decoder_positional_encoding = sine_encoding(
            positional_encoding, embed_dims
        )
        self.query_feat = nn.Embedding(self.num_queries, embed_dims)
        self.level_embed = nn.Embedding(self.num_levels, embed_dims)

    def init_weights(self) -> None:
        """As published: Xavier uniform, where mmdet draws from a normal."""
        for module in self.decoder_input_projs:
            if isinstance(module, Conv2d):
                caffe2_xavier_init(module, bias=0)
        super().init_weights()

    @float32_island
    def _decode_pixels(self, x: Sequence[Tensor]) -> tuple[Tensor, list]:
        """Mask features and multi-scale maps."""
        mask_features, memories = self.pixel_decoder(x)
        return mask_features, memories[: self.num_levels]

    def _keys_and_values(
        self, level: int, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Keys and values (B, h*w, C) of one level."""
        value = self.decoder_input_projs[level](memory)
        value = value.flatten(2).transpose(1, 2)
        value = value + self.level_embed.weight[level]
        size = tuple(memory.shape[-2:])
        encoding = self.decoder_positional_encoding
        return value + sine_positions(encoding, size, value), value

    def forward(
        self, x: Sequence[Tensor], batch_data_samples: SampleList | None
    ) -> QueryPredictions:
        """Predictions of the learnable queries and after each layer.

        Args:
            x: backbone maps (B, C_i, h_i, w_i), high to low resolution.
            batch_data_samples: not used.
        """
        mask_features, memories = self._decode_pixels(x)
        keys_values = [
            self._keys_and_values(*item) for item in enumerate(memories)
        ]
        resized = [
            attention_features(mask_features, memory.shape[-2:])
            for memory in memories
        ]
        batch_size = mask_features.shape[0]
        query = self.query_feat.weight.expand(batch_size, -1, -1)
        query_pos = self.query_embed.weight.expand(batch_size, -1, -1)
        decoder = self.transformer_decoder
        normed = [decoder.post_norm(query)]
        embeds = [self.mask_embed(normed[-1])]
        for i, layer in enumerate(decoder.layers):
            level = i % self.num_levels
            key, value = keys_values[level]
            query = layer(
                query,
                key,
                value,
                query_pos=query_pos,
                cross_attn_mask=outside_mask(embeds[-1], resized[level]),
            )
            normed.append(decoder.post_norm(query))
            embeds.append(self.mask_embed(normed[-1]))
        return QueryPredictions(
            self.cls_embed(torch.stack(normed)),
            MaskLogits(torch.stack(embeds), mask_features),
        )


@torch.no_grad()
def attention_features(features: Tensor, size: Sequence[int]) -> Tensor:
    """Features at the attention's resolution, flat: (B, D, N).

    Bilinear, like resizing the masks that they make.

    Args:
        features: (B, D, h, w).
        size: height and width to resize to.
    """
    step = features.shape[-1] // size[-1]
    exact = [step * length for length in size] == [*features.shape[-2:]]
    # A trace has to fit other sizes too.
    if exact and step % 4 == 0 and not torch.jit.is_tracing():
        # The mean of the four pixels in the middle. PyTorch's kernel for
        # small results on a CPU first transposes the whole map.
        first, second = (slice(step // 2 - i, None, step) for i in (1, 0))
        rows = features[:, :, first] + features[:, :, second]
        resized = (rows[..., first] + rows[..., second]) / 4
    else:
        resized = F.interpolate(
            features, tuple(size), mode='bilinear', align_corners=False
        )
    return resized.flatten(2)


@torch.no_grad()
def outside_mask(embed: Tensor, features: Tensor) -> Tensor:
    """Pixels (B, 1, Q, N) that lie outside a query's mask.

    Sigmoid below one half is a logit below zero. A query whose mask is
    empty attends everywhere.
    """
    outside = torch.bmm(embed, features.to(embed.dtype)) < 0
    outside &= ~outside.all(-1, keepdim=True)
    return outside[:, None]
