"""The normalizer, on one process and on two."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mmseg_plugin.models.losses import target_count
from mmseg_plugin.structures import Targets


def make(*counts):
    return [
        Targets(torch.zeros(n, dtype=torch.long), torch.zeros(n, 1, 1).bool())
        for n in counts
    ]


@pytest.mark.parametrize(
    ('counts', 'published', 'mmdet'),
    [((3, 2), 5, 5), ((0, 4), 4, 5), ((0, 0), 1, 2), ((14, 1), 15, 11)],
)
def test_counts(counts, published, mmdet):
    targets = make(*counts)
    assert target_count(targets, 10).item() == published
    assert target_count(targets, 10, 'mmdet').item() == mmdet


def test_unknown_normalizer_is_named():
    with pytest.raises(ValueError, match="'published' or 'mmdet'.*'mean'"):
        target_count(make(1), 10, 'mean')


def _count_on_rank(rank, store):
    dist.init_process_group(
        'gloo', init_method=f'file://{store}', rank=rank, world_size=2
    )
    counts = [(0, 0), (7, 4)][rank]
    assert target_count(make(*counts), 10).item() == 5.5
    dist.destroy_process_group()


def test_all_ranks_divide_by_their_mean(tmp_path):
    # Forked: fresh processes would import everything again.
    mp.start_processes(
        _count_on_rank, (tmp_path / 'store',), nprocs=2, start_method='fork'
    )
