"""Losses of dense maps that exist in chunks only."""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseg_plugin.structures.map_chunks import FactorGradients, MapChunks

Saved = tuple[Tensor, ...]


class MapLoss(Protocol):
    """What is computed of some maps of one image."""

    # Numbers that are computed of each map.
    num_values: int
    # Whether backward gets the maps, made once more, and nothing else.
    again: bool

    def forward(
        self, maps: Tensor, image: int, rows: slice
    ) -> tuple[Tensor, Saved]:
        """Values (num_values, n) of maps (n, N); what backward needs."""

    def backward(self, saved: Saved, grad: Tensor, num_pixels: int) -> Tensor:
        """Gradient (n, N) of the maps, given that of the values."""


class LossesOfMaps(torch.autograd.Function):
    """Values of the product of rows and columns, in little memory.

    A chunk's maps are gone before those of the next are made: the product is
    linear, so its gradient needs the factors only.
    """

    @staticmethod
    def forward(
        ctx: Any,
        embed: Tensor,
        columns: Tensor,
        chunks: MapChunks,
        loss: MapLoss,
    ) -> Tensor:
        """(M, D), (B, D, N) -> (num_values, M)."""
        values = [embed.new_empty(loss.num_values, 0)]
        saved: list[Tensor] = []
        ctx.kept = 0
        for image, rows, maps in chunks.maps(embed, columns):
            some, kept = loss.forward(maps, image, rows)
            values.append(some)
            saved += kept
            ctx.kept = len(kept)
        ctx.save_for_backward(embed, columns, *saved)
        ctx.chunks, ctx.loss = chunks, loss
        return torch.cat(values, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        embed, columns, *saved = ctx.saved_tensors
        chunks, loss = ctx.chunks, ctx.loss
        gradients = FactorGradients(embed, columns)
        for image, rows, *given in (
            chunks.maps(embed, columns) if loss.again else chunks
        ):
            if not loss.again:
                given, saved = saved[: ctx.kept], saved[ctx.kept :]
            gradients.add(
                *(image, rows),
                loss.backward(tuple(given), grad[:, rows], columns.shape[2]),
            )
        return *gradients.collected(), None, None
