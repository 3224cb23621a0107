"""Masked attention of Mask2Former's decoder, against mmdet's."""

from typing import Any

import torch
import torch.nn.functional as F
from harness import Arms, bench
from model_pairs import both_heads
from precisions import FLOAT32
from torch import Tensor

from mmseg_plugin.models.dense_heads.mask2former_head import (
    attention_features,
    outside_mask,
)

IMAGE, CHANNELS, QUERIES = 1024, 256, 100
# Layers of the nine that attend to one level.
LAYERS = 3


def attention_mask(stride: int, device: torch.device) -> Arms:
    """What to attend to in the layers of one level, from their queries."""
    torch.manual_seed(0)
    batch, size = 2, (IMAGE // stride, IMAGE // stride)
    ours, peer = (head.to(device) for head in both_heads())
    coarse = torch.randn(batch, CHANNELS, IMAGE // 64, IMAGE // 64)
    features = F.interpolate(coarse, scale_factor=16, mode='bicubic')
    features = features.to(device)
    queries = torch.randn(LAYERS, batch, QUERIES, CHANNELS).to(device)

    @torch.no_grad()
    def run_ours() -> list[Tensor]:
        small = attention_features(features, size)
        decoder: Any = ours.transformer_decoder
        masks = []
        for query in queries:
            normed = decoder.post_norm(query)
            ours.cls_embed(normed)
            masks.append(outside_mask(ours.mask_embed(normed), small))
        return masks

    @torch.no_grad()
    def run_peer() -> list[Tensor]:
        masks = []
        for query in queries:
            mask = peer._forward_head(query, features, size)[-1]
            some = (mask.sum(-1) != mask.shape[-1]).unsqueeze(-1)
            masks.append(mask & some)
        return masks

    for mine, other in zip(run_ours(), run_peer(), strict=True):
        repeated = mine.expand(-1, peer.num_heads, -1, -1).flatten(0, 1)
        assert 0.1 < other.float().mean() < 0.9
        # Logits at zero but for rounding fall on either side.
        assert (repeated != other).float().mean() < 1e-4
    return Arms(run_ours, run_peer)


def decoder(device: torch.device) -> Arms:
    """Forward and backward pass through the layers, masks given."""
    torch.manual_seed(0)
    ours, peer = (head.to(device) for head in both_heads())
    sizes = [(IMAGE // stride) ** 2 for stride in (32, 16, 8)]
    query, query_pos = torch.randn(2, 1, QUERIES, CHANNELS).to(device)
    values = [
        torch.randn(1, n, CHANNELS).to(device).requires_grad_() for n in sizes
    ]
    keys = [value.detach() + torch.randn_like(value) for value in values]
    positions = [
        key - value.detach() for key, value in zip(keys, values, strict=True)
    ]
    masks = [(torch.rand(1, 1, QUERIES, n) < 0.5).to(device) for n in sizes]
    repeated = [mask[0].expand(peer.num_heads, -1, -1) for mask in masks]
    grad = torch.randn(1, QUERIES, CHANNELS).to(device)

    def gradients(out: Tensor) -> list[Tensor]:
        return [out, *torch.autograd.grad(out, values, grad)]

    def run_ours() -> list[Tensor]:
        out = query
        # The head adds positions to the values of a level once.
        moved = [
            value + pos for value, pos in zip(values, positions, strict=True)
        ]
        decoder: Any = ours.transformer_decoder
        for i, layer in enumerate(decoder.layers):
            level = i % len(sizes)
            out = layer(
                out,
                moved[level],
                values[level],
                query_pos=query_pos,
                cross_attn_mask=masks[level],
            )
        return gradients(out)

    def run_peer() -> list[Tensor]:
        out = query
        for i, layer in enumerate(peer.transformer_decoder.layers):
            level = i % len(sizes)
            out = layer(
                out,
                values[level],
                values[level],
                query_pos=query_pos,
                key_pos=positions[level],
                cross_attn_mask=repeated[level],
            )
        return gradients(out)

    for mine, other in zip(run_ours(), run_peer(), strict=True):
        atol = 1e-3 * other.abs().max().item()
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=atol)
    return Arms(run_ours, run_peer)


for _stride in (32, 16, 8):
    bench(
        *(f'attention_mask_1024_stride{_stride}', 'mmdet head', 10),
        precisions=FLOAT32,
    )(lambda device, stride=_stride: attention_mask(stride, device))
bench('decoder_1024', 'mmdet decoder', 1.25, precisions=FLOAT32)(decoder)
