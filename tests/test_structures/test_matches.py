"""Pairs that are known before matching."""

import numpy as np
import torch

from mmseg_plugin.structures import Matches


def test_fixed_repeats_every_pair_in_every_layer():
    # Image 0: two targets with two queries each; image 1: none; image 2: one.
    queries = [
        torch.tensor([[0, 3], [1, 4]]),
        torch.empty(0, 2, dtype=torch.long),
        torch.tensor([[5]]),
    ]
    labels = torch.tensor([7, 5, 6])
    matches = Matches.fixed(queries, 2, labels)
    pairs = torch.stack(matches[:4], 1).tolist()
    assert pairs == [
        [0, 0, 0, 0],
        [0, 0, 3, 0],
        [1, 0, 0, 0],
        [1, 0, 3, 0],
        [0, 0, 1, 1],
        [0, 0, 4, 1],
        [1, 0, 1, 1],
        [1, 0, 4, 1],
        [0, 2, 5, 0],
        [1, 2, 5, 0],
    ]
    assert matches.repeats == ((4, 4), (), (2,))
    assert matches.counts == [8, 0, 2]
    assert matches.on_host.tolist() == [
        [0, 0, 1, 1, 0, 0, 1, 1, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 2, 2],
        [7, 7, 7, 7, 5, 5, 5, 5, 6, 6],
    ]


def test_values_are_summed_by_layer():
    matches = Matches.fixed([torch.tensor([[0], [1]])], num_layers=3)
    assert matches.layer.tolist() == [0, 1, 2, 0, 1, 2]
    values = torch.tensor([[1.0, 2, 3, 10, 20, 30], [0, 0, 1, 0, 0, 1]])
    sums = matches.sum_by_layer(values, 4)
    assert sums.tolist() == [[11, 22, 33, 0], [0, 0, 2, 0]]


def test_targets_at_the_end_without_a_query_are_counted_too():
    # Image 0: three targets, the first and the second matched; image 1: two
    # targets, none matched.
    pairs = np.array([[0, 0], [0, 0], [4, 2], [1, 0]])
    matches = Matches.of_pairs(pairs, [3, 2], torch.device('cpu'))
    assert matches.repeats == ((1, 1, 0), (0, 0))
    assert matches.query.tolist() == [2, 4]
