"""Losses of dense maps that exist in chunks only."""

from itertools import chain
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
        """Values (num_values, n) of maps (n, N); what backward
        needs of each, (n, ...).
        """

    def backward(
        self, saved: Saved, grad: Tensor, image: int, rows: slice
    ) -> Tensor:
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
        """(M, D), (B, D, ...) -> (num_values, M)."""
        # Flattened here, not before: see :class:`FactorGradients`.
        flat = columns.flatten(2)
        values = [embed.new_empty(loss.num_values, 0)]
        saved: dict[int, list[Tensor]] = {}
        for image, rows, maps in chunks.maps(embed, flat):
            some, kept = loss.forward(maps, image, rows)
            values.append(some)
            count = chunks.counts[image]
            if len(some[0]) == count:
                saved[image] = [*kept]
                continue
            # Kept in a few large tensors: many small ones among all that is
            # freed at once leave holes in a CPU's memory.
            if image not in saved:
                saved[image] = [
                    part.new_empty(count, *part.shape[1:]) for part in kept
                ]
            for whole, part in zip(saved[image], kept, strict=True):
                whole[chunks.within(image, rows)] = part
        ctx.save_for_backward(embed, columns, *chain(*saved.values()))
        ctx.chunks, ctx.loss, ctx.images = chunks, loss, [*saved]
        return torch.cat(values, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        embed, columns, *saved = ctx.saved_tensors
        chunks, loss, images = ctx.chunks, ctx.loss, ctx.images
        each = len(saved) // max(len(images), 1)
        of_image = {
            image: saved[i * each : (i + 1) * each]
            for i, image in enumerate(images)
        }
        gradients = FactorGradients(embed, columns)
        for image, rows, *given in (
            chunks.maps(embed, columns.flatten(2)) if loss.again else chunks
        ):
            here = chunks.within(image, rows)
            kept = given or [part[here] for part in of_image[image]]
            grad_maps = loss.backward(tuple(kept), grad[:, rows], image, rows)
            gradients.add(image, rows, grad_maps)
        return *gradients.collected(), None, None
