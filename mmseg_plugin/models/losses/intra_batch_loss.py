"""Intra-Batch Supervision: objects must not be found in other images."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmseg_plugin.models.losses.matched_points import (
    row_chunks,
    scatter_to_maps,
)
from mmseg_plugin.models.losses.point_mask_loss import PointMaskLoss
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, Matches, Targets, sample_maps
from mmseg_plugin.utils.host import to_device, to_host
from mmseg_plugin.utils.precision import at_least_float32, without_autocast

PAIRINGS = ('random', 'adjacent')


@MODELS.register_module()
class IntraBatchLoss(nn.Module):
    """Focal loss of thing masks on the features of another image.

    The embedding of each matched thing meets the pixel features of another
    image of the batch, where every pixel is negative. Works on anything that
    has :class:`MaskLogits` and :class:`Matches`. Class, size and source of
    the other image do not matter.

    Source: "Intra-Batch Supervision for Panoptic Segmentation on
    High-Resolution Images" (WACV 2023, arXiv 2304.08222); Mask2Former-IBS
    7a4bc20, criterion.py, and PanopticFCN-IBS 5b5e14e, loss.py.

    Args:
        thing_classes: labels of the things; heads fill in their own.
        loss_weight: lambda, the whole factor of the loss.
        num_points: points of each mask, chosen as those of the mask loss
            are, on the cross-image logits; None for all pixels.
        oversample_ratio: see :class:`PointMaskLoss`.
        importance_sample_ratio: see :class:`PointMaskLoss`.
        alpha: weight of positives, so negatives have ``1 - alpha``.
        gamma: power of the modulating factor.
        pairing: 'random', another image for each layer and image; or
            'adjacent', images 2k and 2k + 1 for each other.
        first_layer: number of the first prediction that it is applied to;
            None for the one after the first decoder layer, as the head
            counts them.
        skip_class_zero: leave out label 0 even if it is a thing, as the
            published Mask2Former code does by mistake.
        chunk_size: most values of dense maps that exist at a time.

    Raises:
        ValueError: unknown pairing.
    """

    def __init__(
        self,
        thing_classes: Sequence[int],
        loss_weight: float = 1.0,
        num_points: int | None = 12544,
        oversample_ratio: float = 3.0,
        importance_sample_ratio: float = 0.75,
        alpha: float = 0.25,
        gamma: float = 2.0,
        pairing: str = 'random',
        first_layer: int | None = None,
        skip_class_zero: bool = False,
        chunk_size: int = 2**22,
    ) -> None:
        super().__init__()
        if pairing not in PAIRINGS:
            raise ValueError(f'pairing is one of {PAIRINGS}, not {pairing!r}')
        self.loss_weight = loss_weight
        self.sampler: PointMaskLoss | None = None
        if num_points:
            self.sampler = PointMaskLoss(
                num_points, oversample_ratio, importance_sample_ratio
            )
        self.alpha = alpha
        self.gamma = gamma
        self.pairing = pairing
        self.first_layer = first_layer
        self.chunk_size = chunk_size
        used = set(thing_classes) - ({0} if skip_class_zero else set())
        self.classes = sorted(used)

    def draw_partners(self, num_layers: int, batch_size: int) -> Tensor:
        """Another image for each image, from the CPU's generator.

        Returns:
            int64 (L, B) on the CPU.

        Raises:
            ValueError: fewer than two images, or an odd number of them where
                neighbours are paired.
        """
        if batch_size < 2:
            raise ValueError(
                'Intra-Batch Supervision needs at least 2 images on each '
                f'device, not {batch_size}: raise train_dataloader.batch_size '
                'or set loss_ibs=None'
            )
        images = torch.arange(batch_size)
        if self.pairing == 'random':
            steps = torch.randint(1, batch_size, (num_layers, batch_size))
            return (images + steps) % batch_size
        if batch_size % 2:
            raise ValueError(
                "pairing='adjacent' needs an even number of images on each "
                f'device, not {batch_size}'
            )
        return (images ^ 1).expand(num_layers, -1)

    def is_used(self, labels: Tensor) -> Tensor:
        """Which labels the loss is about: bool, of their shape; on the CPU."""
        return torch.isin(labels, torch.tensor(self.classes).long())

    @without_autocast
    def forward(
        self,
        masks: MaskLogits,
        targets: list[Targets],
        matches: Matches,
        weights: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        partners: Tensor | None = None,
        uniform: Tensor | None = None,
        num_initial: int = 0,
    ) -> Tensor:
        """Loss of every layer, weighted by ``loss_weight``.

        Args:
            masks: embeddings (..., B, Q, D) and features (B, D, h, w).
            targets: of each image, for their labels.
            matches: pairs of predictions and targets.
            weights: (M,), weight of each pair; ones if None.
            avg_factor: number by which the weighted sums are divided; the
                layer's thing pairs on this device if None.
            partners: int64 (L, B) on the CPU, the other image of each image,
                instead of drawing it.
            uniform: (N, P, 2) for each of the N pairs that are used, in
                their order, see :meth:`PointMaskLoss.draw_points`.
            num_initial: predictions before the first decoder layer, to
                which the loss is not applied.

        Returns:
            (L,), zero in layers that it is not applied to.

        Raises:
            ValueError: see :meth:`draw_partners`.
        """
        features = at_least_float32(masks.features)
        if partners is None:
            partners = self.draw_partners(masks.num_layers, len(features))
        layer, image, labels = _pairs_on_host(targets, matches)
        first = num_initial if self.first_layer is None else self.first_layer
        is_used = self.is_used(labels) & (layer >= first)
        partner, order = partners[layer, image][is_used].sort(stable=True)
        used = is_used.nonzero()[order, 0]
        used, order = to_device(torch.stack((used, order)), features.device)
        embed = at_least_float32(masks.rows(matches))[used]
        plan = _Plan(
            partner.bincount(minlength=len(features)).tolist(),
            max(self.chunk_size // features[0, 0].numel(), 1),
            self.sampler,
            None if uniform is None else uniform[order],
            self.alpha,
            self.gamma,
        )
        losses = _NegativeLosses.apply(embed, features, plan)
        layer = matches.layer[used]
        none = losses.new_zeros(masks.num_layers)
        if avg_factor is None:
            ones = torch.ones_like(losses)
            avg_factor = none.index_add(0, layer, ones).clamp(min=1)
        if weights is not None:
            losses = losses * weights[used]
        total = none.index_add(0, layer, losses)
        return self.loss_weight * total / avg_factor


def _pairs_on_host(targets: list[Targets], matches: Matches) -> Tensor:
    """Layer, image and class of each pair (3, M); copied if unknown."""
    if matches.on_host is not None:
        return matches.on_host
    parts = [matches.layer, *(target.labels for target in targets)]
    layer, labels = to_host(torch.cat(parts), 'ibs').tensor_split(
        [len(matches.layer)]
    )
    return matches.pairs_on_host(layer, labels)


class _Plan(NamedTuple):
    """Which rows meet which image, and where.

    Attributes:
        counts: number of rows for each image, in order.
        step: dense maps that exist at a time.
        sampler: chooses the points; all pixels if None.
        uniform: points that it chooses from, of all rows; drawn if None.
        alpha: see :class:`IntraBatchLoss`.
        gamma: see :class:`IntraBatchLoss`.
    """

    counts: list[int]
    step: int
    sampler: PointMaskLoss | None
    uniform: Tensor | None
    alpha: float
    gamma: float

    def loss(self, logits: Tensor) -> Tensor:
        """Mean focal loss (N,) of logits (N, K) that are all negatives."""
        loss = F.softplus(logits) * logits.sigmoid() ** self.gamma
        return (1 - self.alpha) * loss.mean(1)

    def grad(self, logits: Tensor, grad: Tensor) -> Tensor:
        """Gradient (N, K) of :meth:`loss`, given that of its result."""
        prob = logits.sigmoid()
        slope = self.gamma * (1 - prob) * F.softplus(logits) + prob
        slope = slope * prob**self.gamma
        return slope * (grad * (1 - self.alpha) / logits.shape[1])[:, None]


class _NegativeLosses(torch.autograd.Function):
    """Focal losses of rows on the maps of other images, in little memory.

    The maps live for one chunk only: the backward pass keeps the points and
    their logits, or multiplies again where all pixels count.
    """

    @staticmethod
    def forward(
        ctx: Any, embed: Tensor, features: Tensor, plan: _Plan
    ) -> Tensor:
        """(N, D), (B, D, h, w) -> (N,)."""
        losses = embed.new_zeros(len(embed))
        points, logits = [], []
        pixels = features.flatten(2)
        # One buffer: the system hands out fresh large ones slowly.
        room = embed.new_empty(min(plan.step, len(embed)), pixels.shape[2])
        for image, rows in row_chunks(plan.counts, plan.step):
            part = embed[rows]
            maps = torch.mm(part, pixels[image], out=room[: len(part)])
            if plan.sampler:
                maps = maps.unflatten(1, features.shape[2:])
                given = None if plan.uniform is None else plan.uniform[rows]
                points.append(plan.sampler.draw_points(maps, given))
                maps = sample_maps(maps, points[-1])
                logits.append(maps)
            losses[rows] = plan.loss(maps)
        ctx.save_for_backward(embed, features, *points, *logits)
        ctx.plan = plan
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        embed, features, *saved = ctx.saved_tensors
        points, logits = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        grad_embed = torch.zeros_like(embed)
        grad_features = torch.zeros_like(features)
        for number, (image, rows) in enumerate(
            row_chunks(ctx.plan.counts, ctx.plan.step)
        ):
            pixels = features[image].flatten(1)
            if points:
                grad_maps = scatter_to_maps(
                    ctx.plan.grad(logits[number], grad[rows]),
                    points[number],
                    features.shape[2:],
                )
            else:
                grad_maps = ctx.plan.grad(embed[rows] @ pixels, grad[rows])
            grad_embed[rows] = grad_maps @ pixels.T
            grad_features[image].flatten(1).addmm_(embed[rows].T, grad_maps)
        return grad_embed, grad_features, None
