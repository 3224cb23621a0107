"""Matching and losses of models that predict a set of queries."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmdet.utils import OptConfigType
from torch import Tensor, nn

from mmseg_plugin.models.criterions.target_count import target_count
from mmseg_plugin.registry import MODELS, TASK_UTILS
from mmseg_plugin.structures import (
    Matches,
    QueryPredictions,
    Targets,
    check_labels,
)


class QueryCriterion(nn.Module):
    """Gives queries to targets and compares them, all layers at once.

    Has neither parameters nor buffers that are saved. A part that is None is
    not needed, such as all of them for inference.

    Args:
        num_classes: number of classes, things first.
        num_things: number of thing classes.
        num_queries: Q.
        loss_cls: class loss, called like :class:`QueryClassLoss`; the number
            of classes is filled in.
        loss_mask: mask losses, called like :class:`PointMaskLoss`.
        loss_bbox: box losses, called like :class:`QueryBoxLoss`.
        loss_ibs: called like :class:`IntraBatchLoss`, on all matched
            queries; the thing classes are filled in.
        assigner: config of TASK_UTILS.
        normalizer: of the losses, see :func:`target_count`.
        num_initial: predictions before the first decoder layer, on which
            ``loss_ibs`` is zero unless its config says otherwise.
    """

    def __init__(
        self,
        num_classes: int,
        num_things: int,
        num_queries: int,
        loss_cls: OptConfigType = None,
        loss_mask: OptConfigType = None,
        loss_bbox: OptConfigType = None,
        loss_ibs: OptConfigType = None,
        assigner: OptConfigType = None,
        normalizer: str = 'published',
        num_initial: int = 0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_queries = num_queries
        self.normalizer = normalizer
        self.num_initial = num_initial
        self.loss_cls = _build(loss_cls, {}, num_classes=num_classes)
        self.loss_mask = _build(loss_mask)
        self.loss_bbox = _build(loss_bbox)
        things = {'thing_classes': list(range(num_things))}
        self.loss_ibs = _build(loss_ibs, things)
        self.assigner: Any = assigner and TASK_UTILS.build(assigner)

    def forward(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        match_points: Tensor | None = None,
        loss_points: Tensor | None = None,
        image_ids: list | None = None,
    ) -> dict[str, Tensor]:
        """Losses of all layers, matched with the targets.

        Args:
            predictions: of L layers.
            targets: of each image.
            match_points: (B, K, 2) or (L, B, K, 2) in [0, 1], at which masks
                are compared, instead of random ones.
            loss_points: (M, K, 2) in [0, 1], for each match in the order of
                the assigner's result, instead of sampled ones.
            image_ids: names of the images in warnings and errors.

        Returns:
            ``loss_cls``, ``loss_mask``, ``loss_dice`` and, if there are such
            losses, ``loss_bbox``, ``loss_iou`` and ``loss_ibs`` of the last
            layer, and ``d{i}.loss_cls`` ... of the layers before.

        Raises:
            ValueError: see :meth:`match`.
        """
        matches = self.match(predictions, targets, match_points, image_ids)
        return name_layers(
            self.losses_by_layer(
                *(predictions, targets, matches),
                self.target_count(targets),
                loss_points,
            )
        )

    def target_count(self, targets: list[Targets]) -> Tensor:
        """What losses are divided by; once in each step, on every rank."""
        return target_count(targets, self.num_queries, self.normalizer)

    def match(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        points: Tensor | None = None,
        image_ids: list | None = None,
    ) -> Matches:
        """Gives queries to targets; see :meth:`forward`.

        Raises:
            ValueError: a target has a label that the head has no class for.
        """
        matches = self.assigner.assign(predictions, targets, points, image_ids)
        if matches.labels is not None:
            # Also those of targets that no query was left for.
            counts = torch.tensor([len(target.labels) for target in targets])
            image = torch.arange(len(targets)).repeat_interleave(counts)
            check_labels(matches.labels, image, self.num_classes, image_ids)
        return matches

    def losses_by_layer(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        matches: Matches,
        avg_factor: Tensor,
        points: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Losses (L,) of queries that were matched with the targets."""
        shared = (targets, matches)
        losses = self.losses_of_pairs(predictions, *shared, avg_factor, points)
        if self.loss_ibs is not None:
            losses['loss_ibs'] = self.loss_ibs(
                predictions.masks, *shared, num_initial=self.num_initial
            )
        return losses

    def losses_of_pairs(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        pairs: Matches,
        avg_factor: Tensor,
        points: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Losses (L,) of any pairs, also of those known without matching.

        Args:
            predictions: of L layers.
            targets: of each image.
            pairs: of queries and targets.
            avg_factor: number of targets by which the sums are divided.
            points: (M, K, 2) in [0, 1], for each pair, instead of sampled
                ones.
        """
        shared = (targets, pairs, avg_factor)
        losses = {'loss_cls': self.loss_cls(predictions.cls_logits, *shared)}
        if predictions.masks is not None:
            losses['loss_mask'], losses['loss_dice'] = self.loss_mask(
                predictions.masks, *shared, points
            )
        if self.loss_bbox is not None:
            losses['loss_bbox'], losses['loss_iou'] = self.loss_bbox(
                predictions.boxes, *shared
            )
        return losses


def _build(
    config: OptConfigType, defaults: OptConfigType = None, **fixed: object
) -> Any:
    """A loss, with options that its config may or may not change."""
    if not config:
        return None
    return MODELS.build({**(defaults or {}), **config, **fixed})


def name_layers(
    losses: Mapping[str, Iterable[Tensor]], first: int = 0
) -> dict[str, Tensor]:
    """Losses (L,) to scalars under mmdet's names.

    Args:
        losses: name to the loss of each layer, (L,).
        first: number of the first of these layers.

    Returns:
        The last layer's under their names, that of layer i before it with
        the prefix ``d{i}.``.
    """
    layers = {name: tuple(loss) for name, loss in losses.items()}
    last = {name: values[-1] for name, values in layers.items()}
    return last | {
        f'd{i}.{name}': value
        for name, values in layers.items()
        for i, value in enumerate(values[:-1], first)
    }
