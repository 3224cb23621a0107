"""Matching and losses from mask embeddings, against transformers'.

At the points that transformers drew, the same queries have to be matched, and
losses and gradients be equal. Masks are float, as its image processor makes
them.
"""

import importlib.util
from unittest import mock

import torch
from harness import Arms, bench
from mask_path import (
    NUM_CLASSES,
    Inputs,
    Recorded,
    Size,
    Step,
    assert_agreement,
    dense_maps,
    first_layers,
    heads,
    make_inputs,
    ours_step,
    points_of,
)
from torch import Tensor, nn

NAME = 'mask_path_transformers_1024_g20'
NAMES = {
    'loss_cross_entropy': 'loss_cls',
    'loss_mask': 'loss_mask',
    'loss_dice': 'loss_dice',
}


class Peer:
    """transformers' loss with the published weights.

    Args:
        num_points: in matching and losses.
        inputs: of the steps.
    """

    def __init__(self, num_points: int, inputs: Inputs) -> None:
        from transformers.models.mask2former import (
            Mask2FormerConfig,
            modeling_mask2former,
        )

        config = Mask2FormerConfig(
            num_labels=NUM_CLASSES, train_num_points=num_points
        )
        self.module = modeling_mask2former
        weights = config.class_weight, config.mask_weight, config.dice_weight
        self.weights = dict(zip(NAMES, weights, strict=True))
        self.loss = self.module.Mask2FormerLoss(config, self.weights)
        self.masks = [target.masks.float() for target in inputs.targets]
        self.labels = [target.labels for target in inputs.targets]

    def step(self, inputs: Inputs) -> Step:
        """Weighted losses under our names, and gradients of the factors."""
        layers = [
            {'masks_queries_logits': maps, 'class_queries_logits': logits}
            for maps, logits in zip(
                dense_maps(inputs), inputs.factors[0], strict=True
            )
        ]
        found = self.loss(
            **layers[-1],
            mask_labels=self.masks,
            class_labels=self.labels,
            auxiliary_predictions=layers[:-1],
        )
        losses = {}
        for key, ours in NAMES.items():
            losses[ours] = self.weights[key] * found[key]
            for i in range(len(layers) - 1):
                loss = found[f'{key}_{i}']
                losses[f'd{i}.{ours}'] = self.weights[key] * loss
        total = torch.stack([*losses.values()]).sum()
        return losses, torch.autograd.grad(total, inputs.factors)

    def recorded(self, inputs: Inputs) -> Recorded:
        """A step, with the points it drew."""
        queries: list[Tensor] = []

        def record(_: nn.Module, __: object, pairs: list[tuple]) -> None:
            queries.append(torch.cat([query for query, _ in pairs]))

        hook = self.loss.matcher.register_forward_hook(record)
        sample_point = self.module.sample_point
        with mock.patch.object(
            self.module, 'sample_point', wraps=sample_point
        ) as sampling:
            step = self.step(inputs)
        hook.remove()
        layers, images = inputs.factors[0].shape[:2]
        matching, losses = points_of(sampling, layers, images)
        # It begins with the last layer.
        by_layer = losses.unflatten(0, (layers, -1))
        return Recorded(
            step,
            matching.roll(-1, 0),
            by_layer.roll(-1, 0).flatten(0, 1),
            torch.stack(queries).roll(-1, 0).flatten(),
        )


def mask_path_transformers(size: Size) -> Arms:
    """Both arms; they agree on two layers, all that is timed."""
    head, _ = heads(size)
    inputs = make_inputs(size)
    peer = Peer(size.points, inputs)
    first = first_layers(inputs, 2)
    assert_agreement(head, peer.recorded(first), first)
    return Arms(lambda: ours_step(head, inputs), lambda: peer.step(inputs))


if importlib.util.find_spec('transformers'):
    bench(NAME, "transformers' loss", 3)(
        lambda: mask_path_transformers(Size())
    )
else:
    print(f'{NAME} is left out: transformers is not installed')
