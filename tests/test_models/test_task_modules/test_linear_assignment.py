"""Solvers, and costs that are not finite."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from mmseg_plugin.models.task_modules.linear_assignment import (
    SOLVERS,
    finite_costs,
)

SHAPES = [(6, 4), (4, 4), (3, 5), (1, 3), (5, 1), (1, 1), (4, 0)]


@pytest.fixture(params=sorted(SOLVERS))
def solve(request):
    if request.param == 'torch':
        pytest.importorskip('torch_linear_assignment')
    return SOLVERS[request.param]


def labels_of(costs):
    """A class of its own for each target."""
    return torch.arange(sum(cost.shape[2] for cost in costs)) + 7


def pairs_of(matches, layer, image):
    chosen = (matches.layer == layer) & (matches.image == image)
    return sorted(
        zip(
            matches.query[chosen].tolist(),
            matches.target[chosen].tolist(),
            strict=True,
        )
    )


def test_every_problem_has_the_optimum_of_scipy(solve):
    torch.manual_seed(0)
    costs = [torch.randn(3, *shape) for shape in SHAPES]
    matches, bad = solve(costs, labels_of(costs))
    assert bad == [False] * len(SHAPES)
    for image, layer in itertools.product(range(len(SHAPES)), range(3)):
        want = linear_sum_assignment(costs[image][layer].numpy())
        want = sorted(np.stack(want, 1).tolist())
        got = pairs_of(matches, layer, image)
        assert got == [tuple(pair) for pair in want]
    # Sorted by image, then by target, as the repeats say.
    for image, repeats in enumerate(matches.repeats):
        targets = matches.target[matches.image == image].tolist()
        want = [[t] * count for t, count in enumerate(repeats)]
        assert targets == list(itertools.chain(*want))
        assert len(repeats) == SHAPES[image][1]
    assert matches.image.tolist() == sorted(matches.image.tolist())
    layer, image, label = matches.on_host
    assert torch.equal(layer, matches.layer)
    assert torch.equal(image, matches.image)
    before = torch.tensor([0] + [shape[1] for shape in SHAPES]).cumsum(0)
    assert torch.equal(label, before[image] + matches.target + 7)


def test_no_targets_at_all(solve):
    costs = [torch.zeros(2, 5, 0)] * 2
    matches, bad = solve(costs, labels_of(costs))
    assert len(matches.layer) == 0
    assert matches.repeats == ((), ())
    assert matches.on_host.shape == (3, 0)
    assert bad == [False, False]


def brute_force(cost):
    """Best one-to-one pairs: as few bad ones as possible, then cheapest."""
    queries, targets = cost.shape
    best = None
    for chosen in itertools.permutations(range(queries), targets):
        values = cost[list(chosen), range(targets)]
        good = np.isfinite(values)
        key = (int((~good).sum()), values[good].sum())
        if best is None or key < best:
            best = key
    return best


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('scale', [1e-6, 1.0, 1e30])
def test_bad_costs_are_the_last_resort(value, scale):
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost = rng.normal(size=(5, 4)).astype(np.float32) * scale
        cost[rng.random(cost.shape) < 0.4] = value
        fixed = finite_costs(torch.from_numpy(cost)[None])[0].numpy()
        assert np.isfinite(fixed).all()
        query, target = linear_sum_assignment(fixed)
        values = cost[query, target]
        good = np.isfinite(values)
        count, total = brute_force(cost.astype(np.float64))
        assert (~good).sum() == count
        assert values[good].astype(np.float64).sum() == pytest.approx(
            total, rel=1e-6
        )


def test_finite_costs_are_not_touched():
    cost = torch.randn(2, 4, 3)
    assert torch.equal(finite_costs(cost), cost.double())


@pytest.mark.parametrize('rows', [slice(0, 1), slice(None)])
def test_rows_of_nan_leave_a_valid_assignment(solve, rows):
    cost = torch.rand(2, 4, 3)
    cost[0, rows] = torch.nan
    costs = [cost, torch.rand(2, 4, 3)]
    matches, bad = solve(costs, labels_of(costs))
    assert bad == [True, False]
    for layer, image in itertools.product(range(2), range(2)):
        queries, targets = zip(*pairs_of(matches, layer, image), strict=True)
        assert len(set(queries)) == 3
        assert sorted(targets) == [0, 1, 2]


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(
        __import__('sys').modules, 'torch_linear_assignment', None
    )
    with pytest.raises(ImportError, match='pip install torch-linear'):
        SOLVERS['torch']([torch.zeros(1, 1, 1)], torch.zeros(1).long())


@pytest.mark.parametrize('cost', [float('inf'), float('nan'), -float('inf')])
def test_a_single_cost_becomes_finite_too(cost):
    assert finite_costs(torch.full((1, 1, 1), cost)).isfinite().all()
