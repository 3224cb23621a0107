"""Multi-head attention through PyTorch's fused kernels, same parameters."""

from typing import Any

import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import MultiheadAttention
from torch import Tensor, nn


class FusedAttention(nn.Module):
    """mmcv's ``MultiheadAttention`` by ``scaled_dot_product_attention``.

    Takes over the modules of a built attention, hence its parameter names,
    and its contract: identity connection, ``True`` in a mask means blocked.
    A mask shared by the heads is broadcast instead of repeated for each as
    floats, and no averaged weights are computed.

    Args:
        attention: batch-first attention whose query, key and value have the
            same number of channels.

    Raises:
        ValueError: ``attention`` is not batch-first or has key or value
            channels of its own.
    """

    def __init__(self, attention: MultiheadAttention) -> None:
        super().__init__()
        if not attention.batch_first or attention.attn.in_proj_weight is None:
            raise ValueError(
                'FusedAttention needs a batch-first attention with one '
                'number of channels for query, key and value'
            )
        self.embed_dims = attention.embed_dims
        self.num_heads = attention.num_heads
        self.attn = attention.attn
        self.proj_drop = attention.proj_drop
        self.dropout_layer = attention.dropout_layer

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        query_pos: Tensor | None = None,
        key_pos: Tensor | None = None,
        attn_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Attends, projects and adds the identity.

        Args:
            query: shape (B, Q, C).
            key: shape (B, N, C).
            value: shape (B, N, C).
            query_pos: added to ``query``, its shape.
            key_pos: added to ``key``, its shape.
            attn_mask: bool, broadcastable to (B, heads, Q, N), True where a
                query must not look; a row must not be True throughout.
            key_padding_mask: bool, shape (B, N), True where a key is padding.
            kwargs: not used; mmdet's layers pass on what is meant for the
                cross attention.

        Returns:
            Shape (B, Q, C).
        """
        identity = query
        if query_pos is not None:
            query = query + query_pos
        if key_pos is not None:
            key = key + key_pos
        weights = self.attn.in_proj_weight.chunk(3)
        biases = self.attn.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(x, weight, bias).unflatten(-1, (self.num_heads, -1))
            for x, weight, bias in zip(
                (query, key, value), weights, biases, strict=True
            )
        )
        out = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            k.transpose(1, 2),
            v.transpose(1, 2),
            attn_mask=_allowed(attn_mask, key_padding_mask),
            dropout_p=self.attn.dropout if self.training else 0.0,
        )
        out = self.attn.out_proj(out.transpose(1, 2).flatten(2))
        return identity + self.dropout_layer(self.proj_drop(out))


def _allowed(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None
) -> Tensor | None:
    """Both masks as one, True where a query may look."""
    blocked = attn_mask
    if key_padding_mask is not None:
        padding = key_padding_mask[:, None, None]
        blocked = padding if blocked is None else blocked | padding
    return None if blocked is None else ~blocked


def fuse_attention(module: nn.Module) -> None:
    """Puts :class:`FusedAttention` in place of mmcv's in all of ``module``.

    Args:
        module: changed in place; its state dict stays the same.
    """
    for name, child in list(module.named_children()):
        if type(child) is MultiheadAttention:
            setattr(module, name, FusedAttention(child))
        else:
            fuse_attention(child)
