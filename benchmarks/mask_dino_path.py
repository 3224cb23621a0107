"""Mask DINO from factored predictions to losses, ours and with dense masks."""

from typing import NamedTuple

import torch
from harness import Arms
from mask_path import ellipses
from mmengine.config import Config
from model_pairs import CONFIGS
from peers.mask_dino_criterion import DenseSet, losses_of_pairs, match
from torch import Tensor
from torch.nn.functional import interpolate

from mmseg_plugin.models.criterions import MaskDINOPredictions, name_layers
from mmseg_plugin.models.dense_heads import MaskDINOHead
from mmseg_plugin.models.layers.denoising import DenoisingQueries
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    QueryPredictions,
    Targets,
)

CHANNELS, NUM_CLASSES = 256, 80
# Matching: of the encoder, before the first layer, after each of nine.
LAYERS, DENOISING_LAYERS = 11, 10


class Size(NamedTuple):
    """Square images, features at stride 4."""

    image: int = 1024
    targets: int = 30
    queries: int = 300
    images: int = 1
    device: torch.device | str = 'cpu'


class Inputs(NamedTuple):
    """What both arms get.

    Attributes:
        head: for its losses; its layers are not run.
        leaves: class logits, mask embeddings and boxes of matching queries,
            then of denoising queries, each (L, B, Q, C); last the mask
            features (B, D, h, w). Gradients are taken of these.
        targets: ellipses and the boxes around them.
        noise: the denoising queries' targets.
    """

    head: MaskDINOHead
    leaves: list[Tensor]
    targets: list[Targets]
    noise: DenoisingQueries


def r50_head(size: Size, shared: bool) -> MaskDINOHead:
    """With the losses of the R50 config and as few layers as possible."""
    name = 'maskdino_r50_8xb2-lsj-50e_coco.py'
    model = Config.fromfile(CONFIGS.parent / 'maskdino' / name).model
    model.panoptic_head.num_queries = size.queries
    model.panoptic_head.loss_mask.shared_points = shared
    for part in ('pixel_decoder', 'transformer_decoder'):
        model.panoptic_head[part].num_layers = 1
    return MODELS.build({**model.panoptic_head, 'train_cfg': model.train_cfg})


def make_inputs(size: Size, shared: bool = False) -> Inputs:
    """Random predictions, masks with logits of about +-5.

    Args:
        size: of the inputs.
        shared: our loss draws its points once for all masks of an image.
    """
    torch.manual_seed(0)
    head = r50_head(size, shared).to(size.device)
    targets = [
        Targets(
            torch.randint(NUM_CLASSES, (size.targets,)).to(size.device),
            ellipses(size.targets, size.image).to(size.device),
        ).with_boxes(None, (size.image, size.image))
        for _ in range(size.images)
    ]
    assert head.dn_query_generator is not None
    noise = head.dn_query_generator(targets)
    assert noise is not None
    coarse = torch.randn(
        size.images, CHANNELS, *[max(size.image // 64, 2)] * 2
    )
    made = []
    for layers, queries in (
        (LAYERS, size.queries),
        (DENOISING_LAYERS, noise.content.shape[1]),
    ):
        shape = (layers, size.images, queries)
        made += [
            torch.randn(*shape, NUM_CLASSES) - 3,
            0.3 * torch.randn(*shape, CHANNELS),
            0.1 + 0.8 * torch.rand(*shape, 4),
        ]
    made.append(interpolate(coarse, [size.image // 4] * 2, mode='bicubic'))
    leaves = [part.to(size.device) for part in made]
    for leaf in leaves:
        leaf.requires_grad_()
    return Inputs(head, leaves, targets, noise)


class Points(NamedTuple):
    """Where both arms compare masks when they are held to each other."""

    matching: Tensor
    losses: Tensor
    denoising: Tensor

    @classmethod
    def draw(cls, inputs: Inputs, count: int = 64) -> 'Points':
        """One set for each layer; for losses also for each query."""
        queries, noisy = (inputs.leaves[i].shape[2] for i in (0, 3))
        device = inputs.leaves[0].device
        return cls(
            torch.rand(LAYERS, 1, count, 2, device=device),
            torch.rand(LAYERS, 1, queries, count, 2, device=device),
            torch.rand(DENOISING_LAYERS, 1, noisy, count, 2, device=device),
        )

    def of(self, matches: Matches, noise: Matches) -> tuple[Tensor, Tensor]:
        """Points of losses (M, K, 2) in the order of the matches."""
        return (
            self.losses[matches.layer, matches.image, matches.query],
            self.denoising[noise.layer, noise.image, noise.query],
        )


Step = tuple[dict[str, Tensor], tuple[Tensor, ...]]


def factored_step(inputs: Inputs, points: Points | None = None) -> Step:
    """Losses and gradients our way."""
    *leaves, features = inputs.leaves
    matching, denoising = (
        QueryPredictions(logits, MaskLogits(embed, features), boxes)
        for logits, embed, boxes in (leaves[:3], leaves[3:])
    )
    predictions = MaskDINOPredictions(matching, denoising, inputs.noise)
    targets, given = inputs.targets, None
    if points is not None:
        matches = inputs.head.criterion.assigner.assign(
            matching, targets, points.matching
        )
        noise = Matches.fixed(inputs.noise.queries, DENOISING_LAYERS)
        given = points.of(matches, noise)
    losses = inputs.head.criterion(
        predictions,
        targets,
        match_points=points and points.matching,
        loss_points=given and given[0],
        dn_points=given and given[1],
    )
    losses.pop('dn_dropped')
    total = torch.stack([*losses.values()]).sum()
    return losses, torch.autograd.grad(total, inputs.leaves)


def dense_step(inputs: Inputs, points: Points | None = None) -> Step:
    """The same for one image, one dense set after the other."""
    *leaves, features = inputs.leaves
    sets = [
        [
            DenseSet(
                logits, torch.einsum('bqc,bchw->bqhw', embed, features), boxes
            )
            for logits, embed, boxes in zip(*part, strict=True)
        ]
        for part in (leaves[:3], leaves[3:])
    ]
    (target,) = inputs.targets
    count = len(target.labels)
    found = []
    for i, dense in enumerate(sets[0]):
        at = None if points is None else points.matching[i]
        pairs = match(dense, 0, target, at)
        at = None if points is None else points.losses[i]
        found.append(losses_of_pairs(dense, target, pairs, count, at))
    # Group after group, as the queries are made.
    (queries,) = inputs.noise.queries
    index = torch.arange(count, device=queries.device)
    index = index.repeat(queries.shape[1])
    pairs, count = (queries.T.flatten(), index), queries.numel()
    noisy = []
    for i, dense in enumerate(sets[1]):
        at = None if points is None else points.denoising[i]
        noisy.append(losses_of_pairs(dense, target, pairs, count, at))
    losses = {f'enc_{name}': value for name, value in found[0].items()}
    losses |= _named(found[1:]) | _named(noisy, 'dn_')
    total = torch.stack([*losses.values()]).sum()
    return losses, torch.autograd.grad(total, inputs.leaves)


def _named(sets: list[dict[str, Tensor]], prefix: str = '') -> dict:
    """Losses of each layer under the names of ours."""
    return name_layers(
        {
            f'{prefix}{name}': torch.stack([part[name] for part in sets])
            for name in sets[0]
        }
    )


def loss_path(device: torch.device, shared: bool = False) -> Arms:
    """Both arms; they agree on a small image, the full size is timed.

    Args:
        device: of the inputs.
        shared: see :func:`make_inputs`. Agreement is that of given points,
            on which this has no bearing.
    """
    small = make_inputs(Size(image=128, targets=5, queries=40, device=device))
    points = Points.draw(small)
    got, got_grads = factored_step(small, points)
    want, want_grads = dense_step(small, points)
    assert got.keys() == want.keys()
    for name, value in want.items():
        torch.testing.assert_close(got[name], value, rtol=1e-4, atol=1e-5)
    for grad, expected in zip(got_grads, want_grads, strict=True):
        atol = 1e-4 * expected.abs().max().item()
        torch.testing.assert_close(grad, expected, rtol=1e-3, atol=atol)
    inputs = make_inputs(Size(device=device), shared)
    return Arms(lambda: factored_step(inputs), lambda: dense_step(inputs))
