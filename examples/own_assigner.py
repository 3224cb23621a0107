"""Greedy instead of optimal matching."""

import numpy as np
import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from mmseg_plugin.models.task_modules import BatchHungarianAssigner
from mmseg_plugin.structures import Matches, QueryPredictions, Targets


@TASK_UTILS.register_module()
class GreedyAssigner(BatchHungarianAssigner):
    """The pair of the lowest cost first, then the next of what is left.

    The costs are those of the base class, which computes them.
    """

    def assign(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        points: Tensor | None = None,
        image_ids: list | None = None,
    ) -> Matches:
        """See the base class."""
        costs = self.cost_matrices(predictions, targets, points)
        pairs = [
            (layer, image, *pair)
            for image, by_layer in enumerate(costs)
            for layer, cost in enumerate(by_layer.cpu().numpy())
            for pair in _greedy(cost)
        ]
        return Matches.of_pairs(
            np.array(pairs, np.int64).reshape(-1, 4).T,
            [len(target.labels) for target in targets],
            predictions.cls_logits.device,
            torch.cat([target.labels for target in targets]).cpu(),
        )


def _greedy(cost: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of queries (rows) and targets (columns)."""
    cost = np.nan_to_num(cost, nan=np.finfo(cost.dtype).max)
    pairs = []
    for _ in range(min(cost.shape)):
        query, target = np.unravel_index(cost.argmin(), cost.shape)
        pairs.append((int(query), int(target)))
        cost[query] = cost[:, target] = np.inf
    return pairs
