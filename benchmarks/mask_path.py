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

Step = tuple[dict[str, Tensor], tuple[Tensor, ...]]


class Size(NamedTuple):
    """How large the inputs are; masks are square, features at stride 4."""

    image: int = 1024
    targets: int = 20
    queries: int = 100
    points: int = 12544
    layers: int = 10
    images: int = 2
    device: torch.device | str = 'cpu'


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
    made = (
        torch.randn(*shape, NUM_CLASSES + 1),
        0.3 * torch.randn(*shape, CHANNELS),
        F.interpolate(coarse, [stride4] * 2, mode='bicubic'),
    )
    logits, embed, features = (part.to(size.device) for part in made)
    targets = [
        Targets(
            torch.randint(NUM_CLASSES, (size.targets,)).to(size.device),
            ellipses(size.targets, size.image).to(size.device),
        )
        for _ in range(size.images)
    ]
    instances = [
        InstanceData(labels=labels, masks=masks.long())
        for labels, masks, _ in targets
    ]
    factors = logits, embed, features
    for factor in factors:
        factor.requires_grad_()
    return Inputs(factors, targets, instances)


def ours_step(
    head: Mask2FormerHead,
    inputs: Inputs,
    match_points: Tensor | None = None,
    loss_points: Tensor | None = None,
) -> Step:
    """Losses and gradients of the factors, our way."""
    logits, embed, features = inputs.factors
    predictions = QueryPredictions(logits, MaskLogits(embed, features))
    losses = head.criterion(
        predictions, inputs.targets, match_points, loss_points
    )
    total = torch.stack([*losses.values()]).sum()
    return losses, torch.autograd.grad(total, inputs.factors)


def peer_step(head: PeerHead, inputs: Inputs) -> Step:
    """The same in mmdet; the product is part of its forward pass."""
    logits, _, features = inputs.factors
    metas: list[dict] = [{}] * len(features)
    losses = head.loss_by_feat(
        [*logits], dense_maps(inputs), inputs.instances, metas
    )
    return losses, torch.autograd.grad(sum(losses.values()), inputs.factors)


def dense_maps(inputs: Inputs) -> list[Tensor]:
    """Mask logits (B, Q, h, w) of each layer, multiplied out."""
    _, embed, features = inputs.factors
    return [torch.einsum('bqc,bchw->bqhw', layer, features) for layer in embed]


class Recorded(NamedTuple):
    """A step of a peer's, and where it compared masks.

    Attributes:
        step: its losses and gradients.
        matching: points (L, B, K, 2) of the matching.
        losses: points (M, K, 2) of the losses, sorted by layer, image and
            query.
        queries: those that were matched (M,), sorted in the same way.
    """

    step: Step
    matching: Tensor
    losses: Tensor
    queries: Tensor

    def for_ours(
        self, head: Mask2FormerHead, inputs: Inputs
    ) -> tuple[Tensor, Tensor]:
        """Points of matching and of losses for our criterion.

        Raises:
            AssertionError: we match other queries than the peer.
        """
        logits, embed, features = inputs.factors
        images, queries = logits.shape[1:3]
        matches = head.criterion.assigner.assign(
            QueryPredictions(logits, MaskLogits(embed, features)),
            inputs.targets,
            self.matching,
        )
        key = (matches.layer * images + matches.image) * queries
        order = (key + matches.query).argsort()
        assert torch.equal(matches.query[order], self.queries)
        return self.matching, self.losses[order.argsort()]


def points_of(
    sampling: mock.Mock, layers: int, images: int
) -> tuple[Tensor, Tensor]:
    """Points of matching and losses, see :class:`Recorded`.

    Args:
        sampling: stood in for the function of maps and points by which a
            peer samples; for each layer first two maps of each image, to
            match them, and last what the losses compare.
        layers: number of layers, in the order of the calls.
        images: B.
    """
    calls = [call.args[1] for call in sampling.call_args_list]
    per_layer = len(calls) // layers
    matching = [
        torch.stack([points[0] for points in calls[first:][: 2 * images : 2]])
        for first in range(0, len(calls), per_layer)
    ]
    return torch.stack(matching), torch.cat(calls[per_layer - 1 :: per_layer])


def recorded_mmdet(head: PeerHead, inputs: Inputs) -> Recorded:
    """A step of mmdet's."""
    queries = []
    sample = head.sampler.sample

    def sample_and_record(*args: Any, **kwargs: Any) -> object:
        result = sample(*args, **kwargs)
        queries.append(result.pos_inds)
        return result

    point_sample = mask2former_head.point_sample
    with (
        mock.patch.object(head.sampler, 'sample', sample_and_record),
        mock.patch.object(
            mask2former_head, 'point_sample', wraps=point_sample
        ) as sampling,
    ):
        step = peer_step(head, inputs)
    points = points_of(sampling, *inputs.factors[0].shape[:2])
    return Recorded(step, *points, torch.cat(queries))


def assert_agreement(
    head: Mask2FormerHead, recorded: Recorded, inputs: Inputs
) -> None:
    """Same matches, losses and gradients at the same points."""
    want, want_grads = recorded.step
    points = recorded.for_ours(head, inputs)
    got, got_grads = ours_step(head, inputs, *points)
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
    first = first_layers(inputs, 2)
    assert_agreement(ours, recorded_mmdet(peer, first), first)
    return unchecked(ours, peer, inputs)


def heads(
    size: Size, shared: bool = False
) -> tuple[Mask2FormerHead, PeerHead]:
    """Our head and mmdet's for inputs of this size."""
    ours, peer = both_heads(size.queries, size.points, shared)
    return ours.to(size.device), peer.to(size.device)


def unchecked(ours: Mask2FormerHead, peer: PeerHead, inputs: Inputs) -> Arms:
    """Both arms on inputs of any size."""
    return Arms(
        lambda: ours_step(ours, inputs), lambda: peer_step(peer, inputs)
    )
