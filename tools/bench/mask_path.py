"""From mask embeddings and features to losses and gradients, both ways."""

from typing import Any, NamedTuple
from unittest import mock

import torch
import torch.nn.functional as F
from harness import Arms
from mmdet.models.dense_heads import Mask2FormerHead as PeerHead
from mmdet.models.dense_heads import mask2former_head
from mmengine.structures import InstanceData
from model_pairs import both_heads
from torch import Tensor

from mmseg_plugin.models.dense_heads import Mask2FormerHead
from mmseg_plugin.structures import MaskLogits, QueryPredictions, Targets

CHANNELS, NUM_CLASSES = 256, 80


class Size(NamedTuple):
    """How large the inputs are; masks are square, features at stride 4."""

    image: int = 1024
    targets: int = 20
    queries: int = 100
    points: int = 12544
    layers: int = 10
    images: int = 2


class Inputs(NamedTuple):
    """What both arms get.

    Attributes:
        factors: class logits (L, B, Q, C + 1), mask embeddings (L, B, Q, D)
            and mask features (B, D, h, w); gradients are taken of these.
        targets: ellipses of 6 to 46 % of the image, as bits.
        instances: the same as mmdet has them, int64 masks.
    """

    factors: tuple[Tensor, Tensor, Tensor]
    targets: list[Targets]
    instances: list[InstanceData]


def ellipses(count: int, size: int) -> Tensor:
    """Bool masks (count, size, size)."""
    axis = torch.arange(size)
    masks = torch.empty(count, size, size, dtype=torch.bool)
    for mask in masks:
        (x, y), (a, b) = (
            size * torch.rand(2),
            size * (0.03 + 0.2 * torch.rand(2)),
        )
        mask[:] = ((axis - x) / a) ** 2 + ((axis[:, None] - y) / b) ** 2 < 1
    return masks


def make_inputs(size: Size) -> Inputs:
    """Smooth features, embeddings that give logits of about +-5."""
    torch.manual_seed(0)
    stride4 = size.image // 4
    coarse = torch.randn(size.images, CHANNELS, *[max(stride4 // 16, 2)] * 2)
    shape = (size.layers, size.images, size.queries)
    factors = (
        torch.randn(*shape, NUM_CLASSES + 1),
        0.3 * torch.randn(*shape, CHANNELS),
        F.interpolate(coarse, [stride4] * 2, mode='bicubic'),
    )
    targets = [
        Targets(
            torch.randint(NUM_CLASSES, (size.targets,)),
            ellipses(size.targets, size.image),
        )
        for _ in range(size.images)
    ]
    instances = [
        InstanceData(labels=labels, masks=masks.long())
        for labels, masks, _ in targets
    ]
    for factor in factors:
        factor.requires_grad_()
    return Inputs(factors, targets, instances)


def ours_step(
    head: Mask2FormerHead,
    inputs: Inputs,
    match_points: Tensor | None = None,
    loss_points: Tensor | None = None,
) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """Losses and gradients of the factors, our way."""
    logits, embed, features = inputs.factors
    predictions = QueryPredictions(logits, MaskLogits(embed, features))
    losses = head.loss_by_feat(
        predictions, inputs.targets, match_points, loss_points
    )
    total = torch.stack([*losses.values()]).sum()
    return losses, torch.autograd.grad(total, inputs.factors)


def peer_step(
    head: PeerHead, inputs: Inputs
) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """The same in mmdet; the product is part of its forward pass."""
    logits, embed, features = inputs.factors
    maps = [torch.einsum('bqc,bchw->bqhw', layer, features) for layer in embed]
    metas: list[dict] = [{}] * len(features)
    losses = head.loss_by_feat([*logits], maps, inputs.instances, metas)
    return losses, torch.autograd.grad(sum(losses.values()), inputs.factors)


class RecordedPoints:
    """The points at which a step of mmdet's compared masks."""

    def __init__(self, head: PeerHead, inputs: Inputs) -> None:
        self.matching: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.queries: list[Tensor] = []
        sample = head.sampler.sample

        def sample_and_record(*args: Any, **kwargs: Any) -> object:
            result = sample(*args, **kwargs)
            self.queries.append(result.pos_inds)
            return result

        point_sample = mask2former_head.point_sample
        with (
            mock.patch.object(head.sampler, 'sample', sample_and_record),
            mock.patch.object(
                mask2former_head, 'point_sample', wraps=point_sample
            ) as sampled,
        ):
            self.result = peer_step(head, inputs)
        layers, images = inputs.factors[0].shape[:2]
        calls = [call.args[1] for call in sampled.call_args_list]
        # Each layer: predictions and targets of each image, then the losses.
        per_layer = len(calls) // layers
        for first in range(0, len(calls), per_layer):
            layer = calls[first : first + per_layer]
            self.matching.append(
                torch.stack([c[0] for c in layer[: 2 * images : 2]])
            )
            self.losses.append(layer[-1])

    def for_ours(
        self, head: Mask2FormerHead, inputs: Inputs
    ) -> tuple[Tensor, Tensor]:
        """Points of matching and of losses for our ``loss_by_feat``.

        Raises:
            AssertionError: we match other queries than mmdet.
        """
        logits, embed, features = inputs.factors
        layers, images, queries = logits.shape[:3]
        matching = torch.stack(self.matching)
        matches = head.assigner.assign(
            QueryPredictions(logits, MaskLogits(embed, features)),
            inputs.targets,
            matching,
        )
        # mmdet's rows are sorted by layer, image and query.
        key = (matches.layer * images + matches.image) * queries
        order = (key + matches.query).argsort()
        assert torch.equal(matches.query[order], torch.cat(self.queries))
        rows = torch.empty_like(order)
        rows[order] = torch.arange(len(order))
        points = torch.cat(self.losses)[rows]
        return matching, points


def assert_agreement(
    ours: Mask2FormerHead, peer: PeerHead, inputs: Inputs
) -> None:
    """Same matches, losses and gradients at the same points."""
    recorded = RecordedPoints(peer, inputs)
    want, want_grads = recorded.result
    points = recorded.for_ours(ours, inputs)
    got, got_grads = ours_step(ours, inputs, *points)
    assert got.keys() == want.keys()
    for key, value in want.items():
        torch.testing.assert_close(
            got[key], value.squeeze(), rtol=1e-4, atol=1e-5
        )
    for grad, expected in zip(got_grads, want_grads, strict=True):
        atol = 1e-4 * expected.abs().max().item()
        torch.testing.assert_close(grad, expected, rtol=1e-3, atol=atol)


def first_layers(inputs: Inputs, count: int) -> Inputs:
    """Inputs with fewer layers, whose agreement is found in less time."""
    logits, embed, features = inputs.factors
    factors = [logits[:count], embed[:count], features]
    kept = [factor.detach().requires_grad_() for factor in factors]
    return inputs._replace(factors=(kept[0], kept[1], kept[2]))


def mask_path(size: Size, shared: bool = False) -> Arms:
    """Both arms; they agree on two layers, all that is timed.

    Args:
        size: of the inputs.
        shared: our loss draws its points once for all masks of an image.
            Agreement is that of given points, on which this has no bearing.
    """
    ours, peer = heads(size, shared)
    inputs = make_inputs(size)
    assert_agreement(ours, peer, first_layers(inputs, 2))
    return unchecked(ours, peer, inputs)


def heads(
    size: Size, shared: bool = False
) -> tuple[Mask2FormerHead, PeerHead]:
    """Our head and mmdet's for inputs of this size."""
    return both_heads(size.queries, size.points, shared)


def unchecked(ours: Mask2FormerHead, peer: PeerHead, inputs: Inputs) -> Arms:
    """Both arms on inputs of any size."""
    return Arms(
        lambda: ours_step(ours, inputs), lambda: peer_step(peer, inputs)
    )
