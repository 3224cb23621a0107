"""Pairs that are known before matching."""

import torch

from mmseg_plugin.structures import Matches


def test_fixed_repeats_every_pair_in_every_layer():
    # Image 0: two targets with two queries each; image 1: none; image 2: one.
    queries = [
        torch.tensor([[0, 3], [1, 4]]),
        torch.empty(0, 2, dtype=torch.long),
        torch.tensor([[5]]),
    ]
    matches = Matches.fixed(queries, num_layers=2)
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
