"""Loss of matched masks at points of their dense maps, in little memory."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseg_plugin.structures import Matches, Targets, sample_maps


class BCEAndDice(torch.autograd.Function):
    """Mean BCE and dice loss of each row of logits and targets (M, K).

    Their gradient has a closed form, so only the inputs are saved.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, values: Tensor) -> Tensor:
        """(M, K), (M, K) -> (2, M)."""
        ctx.save_for_backward(logits, values)
        return bce_and_dice(logits, values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        logits, values = ctx.saved_tensors
        return bce_and_dice_grad(logits, values, grad), None


def bce_and_dice(logits: Tensor, values: Tensor) -> Tensor:
    """Mean BCE and dice loss (2, M) of each row (M, K)."""
    prob = logits.sigmoid()
    bce = F.binary_cross_entropy_with_logits(logits, values, reduction='none')
    overlap = 2 * _row_dot(prob, values) + 1
    dice = 1 - overlap / (prob.sum(1) + values.sum(1) + 1)
    return torch.stack((bce.mean(1), dice))


def bce_and_dice_grad(logits: Tensor, values: Tensor, grad: Tensor) -> Tensor:
    """Gradient (M, K) with respect to the logits, given that of the losses."""
    prob = logits.sigmoid()
    overlap = 2 * _row_dot(prob, values) + 1
    total = prob.sum(1) + values.sum(1) + 1
    # d dice / d prob = overlap / total^2 - 2 t / total
    slope = torch.addcmul(
        (grad[1] * overlap / total**2)[:, None],
        values,
        (grad[1] * 2 / total)[:, None],
        value=-1,
    )
    slope *= prob * (1 - prob)
    return slope.add_((prob - values).mul_((grad[0] / len(prob.T))[:, None]))


def _row_dot(first: Tensor, second: Tensor) -> Tensor:
    return torch.bmm(first[:, None], second[..., None])[:, 0, 0]


class MatchedPoints:
    """Where matched masks are looked at, and what they should be there.

    Args:
        targets: of each image.
        matches: pairs of queries and targets.
        choose: maps (N, h, w), their image and rows -> points (N, K, 2).
        num_points: K.
        step: maps that exist at a time.
    """

    def __init__(
        self,
        targets: list[Targets],
        matches: Matches,
        choose: Callable[[Tensor, int, slice], Tensor],
        num_points: int,
        step: int,
    ) -> None:
        self.choose = choose
        self.counts = matches.counts
        self.num_points = num_points
        self.step = step
        self.masks = [
            mask
            for target, repeats in zip(targets, matches.repeats, strict=True)
            for mask, count in zip(target.masks, repeats, strict=True)
            for _ in range(count)
        ]

    def values(self, points: Tensor, rows: slice) -> Tensor:
        """Targets (N, K) of some rows; each mask is made float alone."""
        values, first = [], 0
        for _, group in groupby(self.masks[rows], key=id):
            same = list(group)
            where = points[first : first + len(same)]
            first += len(same)
            mask = same[0][None].to(points.dtype)
            values.append(sample_maps(mask, where.reshape(1, -1, 2)))
        return torch.cat(values, 1).reshape(points.shape[:2])


def row_chunks(
    counts: Sequence[int], step: int
) -> Iterator[tuple[int, slice]]:
    """Each image and its rows, at most ``step`` at a time.

    Args:
        counts: number of rows of each image, which lie in its order.
        step: most rows of a chunk.
    """
    first = 0
    for image, count in enumerate(counts):
        for start in range(first, first + count, step):
            yield image, slice(start, min(start + step, first + count))
        first += count


class MatchedPointLosses(torch.autograd.Function):
    """BCE and dice loss of matched pairs at points of their dense maps.

    The maps live for one chunk only: sampling and the product are linear, so
    the backward pass needs the points, but not the maps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        embed: Tensor,
        features: Tensor,
        matched: MatchedPoints,
    ) -> Tensor:
        """(M, D), (B, D, h, w) -> losses (2, M)."""
        pixels, size = features.flatten(2), features.shape[2:]
        points = embed.new_empty(len(embed), matched.num_points, 2)
        logits = embed.new_empty(points.shape[:2])
        values = torch.empty_like(logits)
        losses = embed.new_empty(2, len(embed))
        # One buffer: the system hands out fresh large ones slowly.
        room = embed.new_empty(min(matched.step, len(embed)), pixels.shape[2])
        for image, rows in row_chunks(matched.counts, matched.step):
            part = embed[rows]
            maps = torch.mm(part, pixels[image], out=room[: len(part)])
            maps = maps.unflatten(1, size)
            points[rows] = matched.choose(maps, image, rows)
            logits[rows] = sample_maps(maps, points[rows])
            values[rows] = matched.values(points[rows], rows)
            losses[:, rows] = bce_and_dice(logits[rows], values[rows])
        ctx.save_for_backward(embed, features, points, logits, values)
        ctx.matched = matched
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        embed, features, points, logits, values = ctx.saved_tensors
        grad_embed = embed.new_zeros(embed.shape)
        # Contiguous whatever the features are, so that rows are views of it.
        grad_features = features.new_zeros(features.shape)
        for image, rows in row_chunks(ctx.matched.counts, ctx.matched.step):
            grad_logits = bce_and_dice_grad(
                logits[rows], values[rows], grad[:, rows]
            )
            grad_maps = scatter_to_maps(
                grad_logits, points[rows], features.shape[2:]
            )
            grad_embed[rows] = grad_maps @ features[image].flatten(1).T
            grad_features[image].flatten(1).addmm_(embed[rows].T, grad_maps)
        return grad_embed, grad_features, None


def scatter_to_maps(grad: Tensor, points: Tensor, size: torch.Size) -> Tensor:
    """Adjoint of :func:`sample_maps`: (N, K) -> (N, h * w)."""
    maps, _ = torch.ops.aten.grid_sampler_2d_backward(
        grad[:, None, None],
        grad.new_empty(len(grad), 1, *size),
        (2 * points - 1)[:, None],
        0,  # bilinear
        0,  # zeros outside
        False,  # align_corners
        [True, False],
    )
    return maps.flatten(1)
