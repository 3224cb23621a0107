"""Solvers of many linear assignment problems."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmseg_plugin.structures import Matches
from mmseg_plugin.utils.host import to_device, to_host

Solution = tuple[Matches, list[bool]]


def finite_costs(costs: Tensor) -> Tensor:
    """Makes NaN and infinite costs finite and the last resort.

    The finite ones keep their exact optimum: one bad pair is dearer than
    all that the choice of the other pairs can save.

    Args:
        costs: (L, Q, G), one problem for each layer.

    Returns:
        Float64 (L, Q, G).
    """
    costs = costs.double()
    if costs.numel() == 0:
        return costs
    good = costs.isfinite()
    low = costs.masked_fill(~good, torch.inf).amin((1, 2))
    high = costs.masked_fill(~good, -torch.inf).amax((1, 2))
    # Where nothing is finite, anything will do.
    spread = (high - low).clamp(min=0).nan_to_num(0)
    last = high.clamp(min=0).nan_to_num(0)
    last = last + (spread + 1) * min(costs.shape[1:])
    return costs.where(good, last[:, None, None])


def _as_matches(indices: Tensor, repeats: list[list[int]]) -> Matches:
    layer, image, query, target = indices
    counts = tuple(tuple(image_counts) for image_counts in repeats)
    return Matches(layer, image, query, target, counts)


def solve_with_scipy(costs: list[Tensor]) -> Solution:
    """Solves on the host, after one copy of all costs.

    Args:
        costs: (L, Q, G_i) for each image.

    Returns:
        The matches, and which images have NaN or infinite costs.
    """
    bad = torch.stack([~cost.isfinite().all() for cost in costs])
    parts = [finite_costs(cost).flatten() for cost in costs]
    host = to_host(torch.cat([*parts, bad.double()]), 'assigner').numpy()
    ends = np.cumsum([cost.numel() for cost in costs])
    problems = np.split(host, ends)
    found, repeats = [], []
    for image, cost in enumerate(costs):
        matrices = problems[image].reshape(cost.shape)
        solved = [np.stack(linear_sum_assignment(m)) for m in matrices]
        layer = np.arange(len(solved)).repeat(min(cost.shape[1:]))
        query, target = np.concatenate(solved, 1)
        order = target.argsort(kind='stable')
        pairs = (layer, np.full_like(layer, image), query, target)
        found.append(np.stack(pairs)[:, order])
        counts = np.bincount(target, minlength=cost.shape[2])
        repeats.append(counts.tolist())
    indices = to_device(
        torch.from_numpy(np.concatenate(found, 1)), costs[0].device
    )
    matches = _as_matches(indices, repeats)
    return matches, problems[-1].astype(bool).tolist()


def solve_with_torch(costs: list[Tensor]) -> Solution:
    """Solves on the device by ``torch-linear-assignment``.

    Args and results are those of :func:`solve_with_scipy`.

    Raises:
        ImportError: the package is not installed.
    """
    try:
        from torch_linear_assignment import batch_linear_assignment
    except ImportError as error:
        raise ImportError(
            "solver='torch' needs: pip install torch-linear-assignment"
        ) from error
    found, host = [], [torch.stack([~c.isfinite().all() for c in costs])]
    for image, cost in enumerate(costs):
        queries, num_targets = cost.shape[1:]
        target = batch_linear_assignment(finite_costs(cost)).flatten()
        # The number of pairs is known, so nothing has to ask the device.
        count = len(cost) * min(queries, num_targets)
        order = target.where(target >= 0, num_targets).argsort(stable=True)
        pair = order[:count]
        target = target[pair]
        pairs = (pair // queries, torch.full_like(pair, image))
        found.append(torch.stack((*pairs, pair % queries, target)))
        host.append(
            target.new_zeros(num_targets).scatter_add_(
                0, target, torch.ones_like(target)
            )
        )
    sizes = [len(part) for part in host]
    bad, *repeats = to_host(torch.cat(host), 'assigner').split(sizes)
    counts = [part.tolist() for part in repeats]
    matches = _as_matches(torch.cat(found, 1), counts)
    return matches, bad.bool().tolist()


SOLVERS: dict[str, Callable[[list[Tensor]], Solution]] = {
    'scipy': solve_with_scipy,
    'torch': solve_with_torch,
}
