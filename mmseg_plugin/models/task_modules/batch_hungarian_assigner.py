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
from mmseg_plugin.structures.map_chunks import MapChunks
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


@TASK_UTILS.register_module()
class BatchHungarianAssigner:
    """Hungarian matching of query models (Mask2Former, MaskFormer, Mask DINO).

    The costs of all layers of an image are computed together, in float32
    even under autocast, and reach the host in one copy for the whole batch.
    A cost that is NaN or infinite becomes finite and higher than any others
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
            bounds memory and changes no result; see :func:`map_budget`.

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
        chunk_size: int | None = None,
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
            shape = [layers, images] if self.points_per_layer else [images]
            points = torch.rand(
                *(*shape, self.num_points, 2),
                device=predictions.cls_logits.device,
            )
        sets: list[tuple[slice, Tensor | None]] = [(slice(None), points)]
        if points is not None and points.dim() == 4:
            sets = [(slice(i, i + 1), at) for i, at in enumerate(points)]
        costs = [self._costs(predictions, targets, *each) for each in sets]
        return [
            torch.cat(parts).reshape(layers, queries, -1)
            for parts in zip(*costs, strict=True)
        ]

    def _costs(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        layers: slice,
        points: Tensor | None,
    ) -> list[Tensor]:
        """Costs (R, G) of all queries of some layers, of each image."""
        logits, masks, boxes = predictions

        def by_image(values: Tensor) -> Tensor:
            values = values[layers].transpose(0, 1).flatten(1, 2)
            return at_least_float32(values)

        classes = by_image(logits)
        # A label without a class gets its error from the criterion, after
        # the copy to the host; until then it must not stop the device.
        labels = [
            target.labels.clamp(0, logits.shape[-1] - 1) for target in targets
        ]
        totals = [
            classes.new_zeros(classes.shape[1], len(each)) for each in labels
        ]
        for cost in self.class_costs:
            for total, *given in zip(totals, classes, labels, strict=True):
                total.add_(cost(*given), alpha=cost.weight)
        if self.box_costs:
            wanted = [each.boxes for each in targets if each.boxes is not None]
            if boxes is None or len(wanted) < len(targets):
                raise ValueError(
                    'box costs need boxes of the predictions and the targets'
                )
            for rows, total, some, target in zip(
                by_image(boxes), totals, wanted, targets, strict=True
            ):
                for box_cost in self.box_costs:
                    distance = box_cost(rows, some, target.labels)
                    total.add_(distance, alpha=box_cost.weight)
        if self.mask_costs:
            if masks is None:
                raise ValueError('mask costs need predicted masks')
            features = at_least_float32(masks.features)
            self._add_mask_costs(
                *(totals, by_image(masks.embed), features, targets, points)
            )
        return totals

    def _add_mask_costs(
        self,
        totals: list[Tensor],
        embed: Tensor,
        features: Tensor,
        targets: list[Targets],
        points: Tensor | None,
    ) -> None:
        """Adds the mask costs to ``totals`` (R, G), chunk by chunk."""
        logits_of = _logits_at(features, points)
        values = self._mask_values(targets, features.shape[-2:], points)
        size = features[0, 0].numel() if points is None else points.shape[1]
        for image, (total, rows, wanted) in enumerate(
            zip(totals, embed, values, strict=True)
        ):
            chunks = MapChunks(
                *([len(rows)], size, features.device, self.chunk_size)
            )
            for _, chosen in chunks:
                logits = logits_of(rows[chosen], image)
                for start in range(0, total.shape[1], chunks.step):
                    part = wanted[start : start + chunks.step]
                    added = total[chosen, start : start + chunks.step]
                    part = part.to(logits.dtype)
                    for cost in self.mask_costs:
                        added.add_(cost(logits, part), alpha=cost.weight)

    def _mask_values(
        self,
        targets: list[Targets],
        size: Sequence[int],
        points: Tensor | None,
    ) -> list[Tensor]:
        """Targets (G, K) at points, or at the pixels of a smaller map."""
        masks = [target.masks for target in targets]
        if points is not None:
            return sample_masks(masks, points, self.chunk_size)
        bits = [each.view(torch.uint8)[:, None] for each in masks]
        return [
            F.interpolate(each, size, mode='nearest').flatten(1)
            for each in bits
        ]


def _logits_at(
    features: Tensor, points: Tensor | None
) -> Callable[[Tensor, int], Tensor]:
    """How an image's embeddings (R, D) become logits (R, K) at points."""
    if points is not None and points.shape[1] <= features[0, 0].numel():
        # Sampling and the product commute: the few channels are sampled.
        sampled = sample_features(features, points).mT
        return lambda embed, image: embed @ sampled[image]

    def multiply(embed: Tensor, image: int) -> Tensor:
        maps = embed @ features[image].flatten(1)
        if points is None:
            return maps
        # Fewer pixels than points: multiply on the pixels, then sample.
        maps = maps.unflatten(1, features.shape[2:])
        return sample_features(maps[None], points[image, None])[0].T

    return multiply
