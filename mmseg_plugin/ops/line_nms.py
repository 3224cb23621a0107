"""Suppression of lanes ("CLRNet", arXiv 2203.10350, section 3.4)."""

import torch
from torch import Tensor

# Before the columns of a lane: two scores, start, angle, length.
_HEAD = 5


def line_nms_forward(
    boxes: Tensor, scores: Tensor, overlap: float, top_k: int
) -> list[Tensor]:
    """Drops each lane that runs beside one of a higher score.

    Args:
        boxes: (N, 5 + S): two numbers that are not used, the start in [0, 1]
            of the height, an angle that is not used, the length in rows, and
            the column at each of S rows.
        scores: (N,).
        overlap: mean distance, in columns over the rows that both have,
            below which two lanes are one.
        top_k: most lanes that are kept.

    Returns:
        Indices of what is kept by falling score, int64 (N,), zero behind
        their number; that number, int64 (); and for each lane the place
        among those kept, from one on, of the one it belongs to, int64 (N,),
        zero for none.
    """
    order = scores.sort(descending=True).indices
    keep = torch.zeros_like(order)
    parent = torch.zeros_like(order)
    count = 0
    while len(order) and count < top_k:
        keep[count] = order[0]
        count += 1
        near = _distances(boxes[order[0]], boxes[order]) < overlap
        near[0] = True
        parent[order[near]] = count
        order = order[~near]
    return [keep, keep.new_tensor(count), parent]


def _distances(lane: Tensor, lanes: Tensor) -> Tensor:
    """Mean distance of a lane (5 + S,) to others (N, 5 + S), (N,).

    Infinite where they have no row in common.
    """
    both = torch.cat([lane[None], lanes]).float()
    columns = both[:, _HEAD:]
    last = columns.shape[1] - 1
    start = (both[:, 2] * last + 0.5).trunc()
    # A lane has its last row where its length is rounded to.
    end = start + both[:, 4].trunc() - 1
    first, until = start.maximum(start[0]), end.minimum(end[0])
    rows = torch.arange(last + 1, device=lanes.device)
    shared = (rows >= first[:, None]) & (rows <= until[:, None])
    shared &= (first >= 0)[:, None]
    distance = (columns - columns[0]).abs().where(shared, 0).sum(1)
    count = shared.sum(1)
    return (distance / count).where(count > 0, torch.inf)[1:]
