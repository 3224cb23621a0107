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


def _as_matches(
    indices: Tensor,
    repeats: list[list[int]],
    host_layer: Tensor,
    host_labels: Tensor,
) -> Matches:
    layer, image, query, target = indices
    counts = tuple(tuple(image_counts) for image_counts in repeats)
    matches = Matches(layer, image, query, target, counts)
    return matches._replace(
        on_host=matches.pairs_on_host(host_layer, host_labels)
    )


def solve_with_scipy(costs: list[Tensor], labels: Tensor) -> Solution:
    """Solves on the host, after one copy of all costs.

    Args:
        costs: (L, Q, G_i) for each image.
        labels: of the targets of all images, int64 (G,), which others may
            ask the matches for on the host.

    Returns:
        The matches, and which images have NaN or infinite costs.
    """
    bad = torch.stack([~cost.isfinite().all() for cost in costs])
    parts = [finite_costs(cost).flatten() for cost in costs]
    device_parts = [*parts, bad.double(), labels.double()]
    host = to_host(torch.cat(device_parts), 'assigner').numpy()
    ends = np.cumsum([part.numel() for part in device_parts[:-1]])
    *problems, is_bad, classes = np.split(host, ends)
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
    indices = torch.from_numpy(np.concatenate(found, 1))
    matches = _as_matches(
        to_device(indices, costs[0].device),
        repeats,
        indices[0],
        torch.from_numpy(classes).long(),
    )
    return matches, is_bad.astype(bool).tolist()


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
    found, repeats = [], []
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
        repeats.append(
            target.new_zeros(num_targets).scatter_add_(
                0, target, torch.ones_like(target)
            )
        )
    indices = torch.cat(found, 1)
    parts = [bad, indices[0], labels, *repeats]
    host = to_host(torch.cat(parts), 'assigner')
    is_bad, layer, classes, *counts = host.split([len(p) for p in parts])
    matches = _as_matches(
        indices, [part.tolist() for part in counts], layer, classes
    )
    return matches, is_bad.bool().tolist()


SOLVERS: dict[str, Callable[[list[Tensor], Tensor], Solution]] = {
    'scipy': solve_with_scipy,
    'torch': solve_with_torch,
}
