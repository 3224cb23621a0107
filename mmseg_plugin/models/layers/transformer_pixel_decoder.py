"""Pixel decoder of MaskFormer whose positions are made once."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.models.layers import TransformerEncoderPixelDecoder
from torch import Tensor, nn

from mmseg_plugin.models.layers.geometry import (
    padded_positions,
    padding_of,
)


class TransformerPixelDecoder(TransformerEncoderPixelDecoder):
    """mmdet's module, with the same parameters and numbers.

    What depends on the sizes of images only is kept.

    Source: MaskFormer da3e60d, modeling/heads/pixel_decoder.py.
    """

    def forward(
        self, feats: Sequence[Tensor], batch_img_metas: list[dict]
    ) -> tuple[Tensor, Tensor]:
        """Mask features and memory.

        Args:
            feats: backbone maps (B, C_i, h_i, w_i), high to low resolution.
            batch_img_metas: ``batch_input_shape`` and ``img_shape`` of each
                image.

        Returns:
            Mask features (B, D, h_0, w_0), memory (B, C, h, w).
        """
        last = feats[-1]
        size = tuple(last.shape[-2:])
        full = batch_img_metas[0]['batch_input_shape']
        shapes = [tuple(meta['img_shape'][:2]) for meta in batch_img_metas]
        if len(set(shapes)) == 1:
            shapes = shapes[:1]
        padding = padding_of(full, size, shapes, last.device)
        positions = padded_positions(
            self.positional_encoding, full, size, shapes, last.device
        )
        query = self.encoder_in_proj(last).flatten(2).mT
        memory = self.encoder(
            query=query,
            query_pos=positions.expand(len(query), -1, -1),
            key_padding_mask=padding.flatten(1).expand(len(query), -1),
        )
        memory = memory.mT.reshape(len(query), self.encoder_embed_dims, *size)
        y = self.encoder_out_proj(memory)
        for level in range(self.num_inputs - 2, -1, -1):
            lateral = self.lateral_convs[level](feats[level])
            y = lateral + F.interpolate(y, lateral.shape[-2:], mode='nearest')
            y = self.output_convs[level](y)
        return self.mask_feature(y), memory


def keep_positions(module: nn.Module) -> None:
    """Puts :class:`TransformerPixelDecoder` in the place of mmdet's.

    Args:
        module: changed in place; its state dict stays the same.
    """
    if type(module) is TransformerEncoderPixelDecoder:
        # Only the way it computes differs.
        module.__class__ = TransformerPixelDecoder
