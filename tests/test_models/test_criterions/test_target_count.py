"""The normalizer, on one process and on two."""

import pytest
import torch

from mmseg_plugin.models.criterions import target_count
from mmseg_plugin.structures import Targets
from tests.two_ranks import on_two_ranks


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


def count_on_rank(rank):
    counts = [(0, 0), (7, 4)][rank]
    return target_count(make(*counts), 10).item()


def test_all_ranks_divide_by_their_mean(tmp_path):
    assert on_two_ranks(count_on_rank, tmp_path) == [5.5, 5.5]
