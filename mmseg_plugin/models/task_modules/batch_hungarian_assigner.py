"""One-to-one assignment of all layers and images of a batch at once."""

import warnings
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.models.task_modules.linear_assignment import SOLVERS
from mmseg_plugin.models.task_modules.match_costs import (
    BoxCost,
    ClassCost,
    MaskCost,
    MatchCost,
)
from mmseg_plugin.registry import TASK_UTILS
from mmseg_plugin.structures import (
    Matches,
    QueryPredictions,
    Targets,
    sample_features,
    sample_masks,
)
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


@TASK_UTILS.register_module()
class BatchHungarianAssigner:
    """Hungarian matching of query models (Mask2Former, MaskFormer, Mask DINO).

    The costs of all layers of an image are computed together, in float32
    even under autocast, and reach the host in one copy for the whole batch.
    A cost that is NaN or infinite becomes finite and dearer than any others
    together, so it is chosen only where nothing else is left.

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
        TypeError: a cost is not one of :mod:`match_costs`.
        ValueError: unknown solver.
    """

    def __init__(
        self,
        costs: list[dict],
        num_points: int | None = 12544,
        points_per_layer: bool = False,
        solver: str = 'scipy',
        chunk_size: int = 2**22,
    ) -> None:
        if solver not in SOLVERS:
            raise ValueError(
                f'solver is one of {sorted(SOLVERS)}, not {solver!r}'
            )
        self.solver = solver
        built = [TASK_UTILS.build(cost) for cost in costs]
        for cost in built:
            if not isinstance(cost, MatchCost):
                raise TypeError(
                    f'{type(cost).__name__} is no match cost of this package'
                )
        self.class_costs = [c for c in built if isinstance(c, ClassCost)]
        self.mask_costs = [c for c in built if isinstance(c, MaskCost)]
        self.box_costs = [c for c in built if isinstance(c, BoxCost)]
        self.num_points = num_points
        self.points_per_layer = points_per_layer
        self.chunk_size = chunk_size
        self.has_warned = False

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
            image_ids: names of the images for the warning about NaN; their
                places in the batch if None.

        Returns:
            L * sum(min(Q, G_i)) pairs.
        """
        costs = self.cost_matrices(predictions, targets, points)
        labels = torch.cat([target.labels for target in targets])
        matches, bad = SOLVERS[self.solver](costs, labels)
        if any(bad) and not self.has_warned:
            names = image_ids or range(len(bad))
            names = [
                name for name, is_bad in zip(names, bad, strict=True) if is_bad
            ]
            warnings.warn(
                f'matching costs of images {names} are NaN or infinite; '
                'this is said once',
                RuntimeWarning,
                stacklevel=2,
            )
            self.has_warned = True
        return matches

    @torch.no_grad()
    @without_autocast
    def cost_matrices(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        points: Tensor | None = None,
    ) -> list[Tensor]:
        """Weighted costs that :meth:`assign` minimizes.

        Args:
            predictions: of L layers and B images.
            targets: of each image.
            points: as in :meth:`assign`.

        Returns:
            (L, Q, G_i) for each image.

        Raises:
            ValueError: a cost needs boxes or masks that are not there.
        """
        layers, images, queries = predictions.cls_logits.shape[:3]
        if points is None and self.mask_costs and self.num_points:
            sets = [layers, images] if self.points_per_layer else [images]
            points = torch.rand(
                *sets, self.num_points, 2, device=predictions.cls_logits.device
            )
        costs = []
        for image, target in enumerate(targets):
            if points is None or points.dim() == 3:
                where = None if points is None else points[image]
                parts = [(slice(None), where)]
            else:
                parts = [
                    (slice(i, i + 1), where)
                    for i, where in enumerate(points[:, image])
                ]
            cost = torch.cat(
                [
                    self._image_cost(predictions, target, image, *part)
                    for part in parts
                ]
            )
            costs.append(cost.reshape(layers, queries, len(target.labels)))
        return costs

    def _image_cost(
        self,
        predictions: QueryPredictions,
        target: Targets,
        image: int,
        layers: slice,
        points: Tensor | None,
    ) -> Tensor:
        """Costs (R, G) of all queries of some layers of one image."""
        logits, masks, boxes = predictions

        def rows_of(values: Tensor) -> Tensor:
            return at_least_float32(values[layers, image].flatten(0, 1))

        classes = rows_of(logits)
        total = classes.new_zeros(len(classes), len(target.labels))
        # A label without a class gets its error from the head, after the
        # copy to the host; until then it must not stop the device.
        labels = target.labels.clamp(max=classes.shape[1] - 1)
        for class_cost in self.class_costs:
            cost = class_cost(classes, labels)
            total += class_cost.weight * cost
        for box_cost in self.box_costs:
            if boxes is None or target.boxes is None:
                raise ValueError(
                    'box costs need boxes of the predictions and the targets'
                )
            cost = box_cost(rows_of(boxes), target.boxes, target.labels)
            total += box_cost.weight * cost
        if self.mask_costs:
            if masks is None:
                raise ValueError('mask costs need predicted masks')
            features = at_least_float32(masks.features[image])
            self._add_mask_costs(
                total, rows_of(masks.embed), features, target.masks, points
            )
        return total

    def _add_mask_costs(
        self,
        total: Tensor,
        embed: Tensor,
        features: Tensor,
        masks: Tensor,
        points: Tensor | None,
    ) -> None:
        """Adds the mask costs to ``total`` (R, G), chunk by chunk."""
        logits_of = _logits_at(features, points)
        size = features[0].numel() if points is None else len(points)
        step = max(self.chunk_size // size, 1)
        values = [
            _mask_values(part, features.shape[-2:], points)
            for part in masks.split(step)
        ]
        for first in range(0, len(embed), step):
            chosen = slice(first, first + step)
            logits = logits_of(embed[chosen])
            for i, part in enumerate(values):
                where = slice(i * step, i * step + len(part))
                part = part.to(logits.dtype)
                for cost in self.mask_costs:
                    total[chosen, where] += cost.weight * cost(logits, part)


def _logits_at(
    features: Tensor, points: Tensor | None
) -> Callable[[Tensor], Tensor]:
    """How embeddings (R, D) become logits (R, K) at the points."""
    pixels = features.flatten(1)
    if points is None:
        return lambda embed: embed @ pixels
    if len(points) <= pixels.shape[1]:
        sampled = sample_features(features[None], points[None])[0]
        return lambda embed: embed @ sampled.T

    def multiply_then_sample(embed: Tensor) -> Tensor:
        maps = (embed @ pixels).unflatten(1, features.shape[1:])
        return sample_features(maps[None], points[None])[0].T

    return multiply_then_sample


def _mask_values(
    masks: Tensor, size: Sequence[int], points: Tensor | None
) -> Tensor:
    """Targets (G, K) at the points, or at the pixels of a smaller map."""
    if points is not None:
        return sample_masks(masks, points)
    bits = masks.view(torch.uint8)[:, None]
    return F.interpolate(bits, size, mode='nearest').flatten(1)
