"""Non-maximum suppression that compares all pairs of boxes, in blocks."""

import torch
from torch import Tensor

from mmseg_plugin.utils import host

from .greedy import overlaps

# Boxes that are compared with each other at once, and pairs of those with
# the ones behind them.
_BLOCK_CPU, _PAIRS_CPU = 128, 2**15
_BLOCK, _PAIRS = 4096, 2**24


def stays_of_all_pairs(boxes: Tensor, offset: int, limit: float) -> Tensor:
    """Which boxes overlap no better one that stays too much.

    What is left of a block is found first, then everything behind it is
    compared with that. On a CPU the first is a loop over bits; elsewhere, a
    few products with the block's matrix and a synchronisation at their end.

    Args:
        boxes: (4, N), by falling score, float32.
        offset: 0 or 1, added to the sides of boxes.
        limit: overlaps above it are too much.

    Returns:
        Indices, int64 (K,).
    """
    on_cpu = host.on_host(boxes)
    block = _BLOCK_CPU if on_cpu else _BLOCK
    keep_in = _keep_on_host if on_cpu else _keep_on_device
    order = torch.arange(boxes.shape[1], device=boxes.device)
    kept = [order[:0]]
    while len(order):
        head, tail = boxes[:, :block], boxes[:, block:]
        over = overlaps(head[:, :, None], head[:, None], offset) > limit
        best = keep_in(over)
        kept.append(order[:block][best])
        boxes, order = tail, order[block:]
        if len(order):
            free = _without_overlap(head[:, best], tail, offset, limit)
            boxes, order = tail[:, free], order[free]
    return torch.cat(kept)


def _without_overlap(
    kept: Tensor, rest: Tensor, offset: int, limit: float
) -> Tensor:
    """Which of the rest (4, M) overlap none of the kept (4, N) too much.

    Returns:
        Indices, int64.
    """
    pairs = _PAIRS_CPU if host.on_host(rest) else _PAIRS
    parts = rest.split(max(1, pairs // max(kept.shape[1], 1)), dim=1)
    # Zero over zero is no overlap. A maximum is faster than booleans.
    most = [
        overlaps(kept[:, :, None], part[:, None], offset)
        .nan_to_num_(-1)
        .amax(0)
        for part in parts
    ]
    return (~(torch.cat(most) > limit)).nonzero()[:, 0]


def _keep_on_host(over: Tensor) -> Tensor:
    """Which boxes of a block stay, from their bool matrix (N, N)."""
    count = len(over)
    packed = torch.zeros(count, -(-count // 8) * 8, dtype=torch.uint8)
    packed[:, :count] = over
    bits = (1 << torch.arange(8)).to(torch.uint8)
    rows = (packed.view(count, -1, 8) * bits).sum(2, dtype=torch.uint8)
    dropped = 0
    keep = []
    for i, row in enumerate(rows.numpy()):
        if not dropped >> i & 1:
            keep.append(i)
            dropped |= int.from_bytes(row.tobytes(), 'little')
    return torch.tensor(keep, dtype=torch.long)


def _keep_on_device(over: Tensor) -> Tensor:
    """The same, without a copy of the matrix to the host.

    A box stays if no earlier one that stays overlaps it. Assuming that all
    stay and applying this again and again settles at least one more box
    each time, and mostly all of them within a few rounds.
    """
    earlier = over.triu(1).half()
    keep = earlier.new_ones(1, len(earlier))
    while True:
        fresh = (keep @ earlier == 0).half()
        if torch.equal(fresh, keep):
            return keep[0].nonzero()[:, 0]
        keep = fresh
