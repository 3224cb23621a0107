"""One-to-one assignment of all layers and images of a batch at once."""

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmseg_plugin.models.task_modules.match_costs import (
    Columns,
    MatchCost,
    Rows,
)
from mmseg_plugin.registry import TASK_UTILS
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    QueryPredictions,
    Targets,
    sample_features,
    sample_masks,
)
from mmseg_plugin.utils.host import to_host
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


@TASK_UTILS.register_module()
class BatchHungarianAssigner:
    """Hungarian matching of query models (Mask2Former, MaskFormer, Mask DINO).

    The costs of all layers of an image are computed together, in float32
    even under autocast, and reach the host in one copy for the whole batch.

    Args:
        costs: match costs, configurations of TASK_UTILS.
        num_points: random points at which masks are compared, the same for
            all queries and targets of an image; None compares all pixels of
            the predicted maps with targets resized to nearest (MaskFormer).
        points_per_layer: draw other points for each layer, as published.
        solver: 'scipy', or 'torch' for ``torch-linear-assignment``, which
            stays on the GPU.
        chunk_size: most mask values that are compared at a time, which
            bounds memory and changes no result.

    Raises:
        ValueError: unknown solver.
        ImportError: ``torch-linear-assignment`` is not installed.
    """

    def __init__(
        self,
        costs: list[dict],
        num_points: int | None = 12544,
        points_per_layer: bool = False,
        solver: str = 'scipy',
        chunk_size: int = 2**22,
    ) -> None:
        if solver not in ('scipy', 'torch'):
            raise ValueError(f"solver is 'scipy' or 'torch', not {solver!r}")
        self.costs: list[MatchCost] = [TASK_UTILS.build(c) for c in costs]
        self.num_points = num_points
        self.points_per_layer = points_per_layer
        self.solver = solver
        self.chunk_size = chunk_size

    def assign(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        points: Tensor | None = None,
        image_ids: list | None = None,
    ) -> Matches:
        """Matches every layer's queries with the targets.

        If an image has more targets than queries, each query gets one and
        the dearest targets none.

        Args:
            predictions: of L layers and B images.
            targets: of each image.
            points: (B, K, 2) or (L, B, K, 2) in [0, 1], instead of random
                ones.
            image_ids: names of the images for the warning about NaN.

        Returns:
            L * sum(min(Q, G_i)) pairs.
        """
