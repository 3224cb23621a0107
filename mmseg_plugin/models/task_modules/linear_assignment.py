"""Solvers of many linear assignment problems."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmseg_plugin.structures import Matches
from mmseg_plugin.utils.host import to_host

Solution = tuple[Matches, list[bool]]


def finite_costs(costs: Tensor) -> Tensor:
    """Makes NaN and infinite costs finite and the last resort.

    The finite ones keep their exact optimum: one bad pair costs more than
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


def solve_with_scipy(costs: list[Tensor], labels: Tensor) -> Solution:
    """Solves on the host, after one copy of all costs.

    Args:
        costs: (L, Q, G_i) for each image.
        labels: of the targets of all images, int64 (G,), which others may
            ask the matches for on the host.

    Returns:
        The matches, and which images have NaN or infinite costs.
    """
    kind = costs[0].dtype
    on_device = [*(cost.flatten() for cost in costs), labels.to(kind)]
    *numbers, classes = to_host(torch.cat(on_device), 'assigner').split(
        [len(part) for part in on_device]
    )
    found, bad = [], []
    for image, (values, cost) in enumerate(zip(numbers, costs, strict=True)):
        bad.append(not np.isfinite(values.numpy()).all())
        problems = values.view(cost.shape)
        if bad[-1]:
            problems = finite_costs(problems)
        solved = [linear_sum_assignment(each) for each in problems.numpy()]
        query, target = np.concatenate([np.stack(part) for part in solved], 1)
        layer = np.arange(len(solved)).repeat(min(cost.shape[1:]))
        found.append((layer, np.full_like(layer, image), query, target))
    matches = Matches.of_pairs(
        np.concatenate(found, 1),
        *([cost.shape[2] for cost in costs], costs[0].device),
        classes.long(),
    )
    return matches, bad


def solve_with_torch(costs: list[Tensor], labels: Tensor) -> Solution:
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
    bad = torch.stack([~cost.isfinite().all() for cost in costs])
    found = []
    for image, cost in enumerate(costs):
        queries, num_targets = cost.shape[1:]
        target = batch_linear_assignment(finite_costs(cost)).flatten()
        # The number of pairs is known, so nothing has to ask the device.
        count = len(cost) * min(queries, num_targets)
        order = target.where(target >= 0, num_targets).argsort(stable=True)
        pair = order[:count]
        pairs = (pair // queries, torch.full_like(pair, image))
        found.append(torch.stack((*pairs, pair % queries, target[pair])))
    on_device = [bad.long(), torch.cat(found, 1).flatten(), labels]
    is_bad, pairs, classes = to_host(torch.cat(on_device), 'assigner').split(
        [len(part) for part in on_device]
    )
    matches = Matches.of_pairs(
        pairs.view(4, -1).numpy(),
        *([cost.shape[2] for cost in costs], costs[0].device),
        classes,
    )
    return matches, is_bad.bool().tolist()


SOLVERS: dict[str, Callable[[list[Tensor], Tensor], Solution]] = {
    'scipy': solve_with_scipy,
    'torch': solve_with_torch,
}
