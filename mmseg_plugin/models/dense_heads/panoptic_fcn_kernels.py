"""Where Panoptic FCN takes kernels from its kernel maps."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Window of the smoothing of centre scores, high to low resolution.
POOL_SIZES = (3, 3, 3, 5, 5)


def normalized(weights: Tensor) -> Tensor:
    """Weights (P, K) that sum to one for each row, or are all zero."""
    return weights / weights.sum(1, keepdim=True).clamp(min=1e-8)


def guided_kernels(
    scores: Tensor,
    kernels: Tensor,
    masks: Tensor,
    image: Tensor,
    num_kernels: int,
) -> tuple[Tensor, Tensor]:
    """The kernels at the best positions inside each thing's mask.

    Panoptic FCN, section 3.3. Gradients flow into the weights too.

    Args:
        scores: (P, h, w), score of each thing's class in its image.
        kernels: (B, C, h, w).
        masks: (P, h, w) in [0, 1].
        image: int64 (P,), image of each thing.
        num_kernels: K; a level with fewer pixels fills up with kernels of
            weight zero.

    Returns:
        Kernels (P, K, C) and their scores (P, K), zero outside the mask.
    """
    inside = (scores * (masks > 0.1)).flatten(1)
    count = min(num_kernels, inside.shape[1])
    weights, where = inside.topk(count, 1)
    missing = (0, num_kernels - count)
    weights, where = F.pad(weights, missing), F.pad(where, missing)
    rows = kernels.flatten(2).transpose(1, 2)
    return rows[image[:, None], where], weights


def region_kernels(kernels: Tensor, masks: Tensor) -> Tensor:
    """Mean over the whole map of a region's kernels, one product.

    The sum is divided by the size of the map, not of the region, as
    published.

    Args:
        kernels: (B, C, h, w).
        masks: bool (B, R, h, w).

    Returns:
        (B, R, C).
    """
    rows = masks.flatten(2).to(kernels.dtype)
    pixels = kernels.flatten(2)
    return rows @ pixels.transpose(1, 2) / pixels.shape[2]


def find_things(
    logits: Tensor, kernels: Tensor, pool_size: int, num: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The peaks of one level's centre scores.

    Args:
        logits: (B, Nt, h, w).
        kernels: (B, C, h, w).
        pool_size: odd, window of the mean that each score is blended with.
        num: most peaks.

    Returns:
        Kernels (B, n, C), labels (B, n) and scores (B, n).
    """
    scores = logits.sigmoid()
    mean = F.avg_pool2d(scores, pool_size, 1, pool_size // 2)
    scores = (scores + mean) / 2
    is_peak = F.max_pool2d(scores, 3, 1, 1) == scores
    pixels = scores[0, 0].numel()
    scores, index = (scores * is_peak).flatten(1).topk(min(num, pixels))
    where = (index % pixels)[:, None].expand(-1, kernels.shape[1], -1)
    found = kernels.flatten(2).gather(2, where).transpose(1, 2)
    return found, index // pixels, scores


def find_regions(logits: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor]:
    """One kernel for each region class of a level.

    Args:
        logits: (B, R, h, w).
        kernels: (B, C, h, w).

    Returns:
        Kernels (B, R, C), and scores (B, R): the mean probability of the
        pixels where the class is the best one, zero without such a pixel.
    """
    prob = logits.sigmoid()
    best = prob.argmax(1, keepdim=True)
    masks = torch.zeros_like(prob, dtype=torch.bool).scatter_(1, best, True)
    area = masks.sum((2, 3))
    scores = (prob * masks).sum((2, 3)) / area.clamp(min=1)
    return region_kernels(kernels, masks), scores
