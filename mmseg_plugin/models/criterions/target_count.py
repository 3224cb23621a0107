"""The number by which losses of query models are divided."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmseg_plugin.structures import Targets


def target_count(
    targets: list[Targets],
    num_queries: int,
    normalizer: str = 'published',
) -> Tensor:
    """Mean number of targets per process, at least one.

    It is known before matching and the same for all layers. Every rank has
    to call it once per step, whatever its images hold.

    Args:
        targets: of each image.
        num_queries: Q.
        normalizer: 'published' counts all targets; 'mmdet' counts as mmdet
            does, at least one and at most Q for each image.

    Returns:
        Float32 scalar.

    Raises:
        ValueError: unknown normalizer.
    """
    sizes = [len(target.labels) for target in targets]
    if normalizer == 'mmdet':
        sizes = [max(min(size, num_queries), 1) for size in sizes]
    elif normalizer != 'published':
        raise ValueError(
            f"normalizer is 'published' or 'mmdet', not {normalizer!r}"
        )
    count = torch.full((), float(sum(sizes)), device=targets[0].labels.device)
    all_reduce(count, 'mean')
    return count.clamp(min=1)
