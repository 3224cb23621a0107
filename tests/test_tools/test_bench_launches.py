"""Upper bounds of what a step dispatches, the same on every machine."""

import bench_launches as bench
import mask_dino_path
import pytest
import torch
from launches import Launches
from mask_path import Size

# Fewer pixels than at full size, but more than points: nothing else counts.
SMALL = Size(image=128, points=64)


def test_only_operators_that_compute_are_counted():
    with Launches() as seen:
        matrix = torch.zeros(2, 3)
        matrix.T.contiguous().view(2, 3)[0].expand(4, -1).detach()
        torch.empty(3)
        matrix.add_(1)
    assert seen.names == {'zeros': 1, 'clone': 1, 'add_': 1}
    # Read and written, 6 numbers of 4 bytes.
    with Launches() as seen:
        matrix + matrix
    assert seen.touched == 3 * 24


def test_the_mask_path_has_few_launches_whatever_the_targets():
    counts = {
        targets: bench.ours_launches(SMALL._replace(targets=targets)).count
        for targets in (5, 20, 100)
    }
    assert len(set(counts.values())) == 1, counts
    assert counts[5] <= 258


def test_the_mask_path_touches_few_bytes():
    assert bench.ours_launches(Size(targets=20)).touched <= 4.82e9


def test_mask_dino_has_few_launches():
    size = mask_dino_path.Size(image=256, targets=20, queries=40, images=2)
    inputs = mask_dino_path.make_inputs(size)
    bench.off_the_cpu(inputs.head.criterion)
    inputs.head.criterion.assigner.num_points = 64
    seen = bench.launches(lambda: mask_dino_path.factored_step(inputs))
    assert seen.count <= 785


@pytest.mark.parametrize('targets', [5, 20])
def test_mmdet_has_more_launches(targets):
    size = SMALL._replace(targets=targets)
    arms = bench.mask_path_launches(size, size)
    assert arms.peer() / arms.ours() > 8


@pytest.mark.parametrize(
    ('name', 'most'), [('mask2former', 190), ('mask_dino', 260)]
)
def test_forward_makes_nothing_anew_that_depends_on_sizes(name, most):
    torch.manual_seed(0)
    assert bench.forward_launches(name) <= most
