"""Decoder of Mask DINO: boxes refined from layer to layer."""

from collections.abc import Callable

import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import (
    MLP,
    DeformableDetrTransformerDecoderLayer,
    inverse_sigmoid,
)
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from mmseg_plugin.models.layers.deformable_attention import (
    use_deformable_attention,
)
from mmseg_plugin.models.layers.fused_attention import fuse_attention
from mmseg_plugin.models.layers.geometry import (
    box_encoding,
    level_geometry,
)
from mmseg_plugin.utils.precision import (
    at_least_float32,
    float32_island,
    without_autocast,
)


class MaskDINODecoder(BaseModule):
    """Deformable decoder with look-forward-twice boxes, as in DINO.

    Layers are mmdet's. Masks no padding and, unless ``autocast`` is set, runs
    in float32, as published.

    Source: MaskDINO 3831d85, modeling/transformer_decoder/dino_decoder.py.

    Args:
        embed_dims: channels of queries and memory.
        num_levels: of the memory.
        num_layers: decoder layers.
        num_heads: of both attentions.
        feedforward_channels: of the layers.
        dropout: rate of the layers.
        autocast: stay in autocast where there is one; boxes are refined in
            float32 all the same.
        init_cfg: see mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_levels: int = 4,
        num_layers: int = 9,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
        dropout: float = 0.0,
        autocast: bool = False,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        attention = {
            'embed_dims': embed_dims,
            'num_heads': num_heads,
            'dropout': dropout,
            'batch_first': True,
        }
        self.layers = ModuleList(
            DeformableDetrTransformerDecoderLayer(
                self_attn_cfg=attention,
                cross_attn_cfg={**attention, 'num_levels': num_levels},
                ffn_cfg={
                    'embed_dims': embed_dims,
                    'feedforward_channels': feedforward_channels,
                    'ffn_drop': dropout,
                },
            )
            for _ in range(num_layers)
        )
        fuse_attention(self.layers)
        use_deformable_attention(self.layers)
        self.autocast = autocast
        self.embed_dims = embed_dims
        self.norm = nn.LayerNorm(embed_dims)
        self.ref_point_head = MLP(2 * embed_dims, embed_dims, embed_dims, 2)

    def init_weights(self) -> None:
        """As published."""
        super().init_weights()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()

    @float32_island
    def forward(
        self,
        query: Tensor,
        box_logits: Tensor,
        memory: Tensor,
        sizes: list[tuple[int, int]],
        bbox_embed: Callable[[Tensor], Tensor],
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Runs all layers.

        Args:
            query: content, (B, Q, C).
            box_logits: first boxes before the sigmoid, (B, Q, 4).
            memory: flattened levels, (B, N, C).
            sizes: height and width of each level.
            bbox_embed: predicts the change of a box, shared by all layers.
            attn_mask: bool (Q, Q), True where a query must not look.

        Returns:
            Normed queries after each layer, (L, B, Q, C), and predicted
            boxes (L + 1, B, Q, 4), (cx, cy, w, h) in [0, 1], the first
            being those given.
        """
        # Layers add to it; to add in half loses what they found.
        query = at_least_float32(query)
        change = without_autocast(bbox_embed)
        key = tuple(map(tuple, sizes))
        shapes, starts = level_geometry(key, memory.device)
        # A layer looks at ``boxes``, cut from the gradient of the layers
        # before; ``reference`` is the same with that of the last of them
        # (DINO, look forward twice).
        boxes = reference = at_least_float32(box_logits).sigmoid()
        outputs, predicted = [], [reference]
        for layer in self.layers:
            encoding = box_encoding(boxes, self.embed_dims // 2)
            query = layer(
                query,
                query_pos=self.ref_point_head(encoding),
                value=memory,
                self_attn_mask=attn_mask,
                reference_points=boxes[:, :, None].expand(
                    -1, -1, len(sizes), -1
                ),
                spatial_shapes=shapes,
                level_start_index=starts,
                sizes=key,
            )
            outputs.append(self.norm(query))
            predicted.append(_moved(reference, change(outputs[-1])))
            # As published the next layer looks where the query pointed
            # before the norm, not where the prediction is.
            reference = _moved(boxes, change(query))
            boxes = reference.detach()
        return torch.stack(outputs), torch.stack(predicted)


def _moved(boxes: Tensor, change: Tensor) -> Tensor:
    return (inverse_sigmoid(boxes, eps=1e-5) + change).sigmoid()
