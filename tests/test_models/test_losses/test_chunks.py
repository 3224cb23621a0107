"""Losses of masks in chunks against all masks at once."""

import pytest
import torch

from mmseg_plugin.models.losses import WeightedDiceLoss
from mmseg_plugin.models.losses.chunks import loss_in_chunks
from mmseg_plugin.structures import MaskLogits, Matches
from tests.largest_tensor import LargestTensor

DICE = WeightedDiceLoss()


def make(*counts, size=(3, 4)):
    """Two masks for each of ``counts`` targets of the images."""
    torch.manual_seed(0)
    masks = MaskLogits(
        torch.randn(len(counts), 100, 4).requires_grad_(),
        torch.randn(len(counts), 4, *size).requires_grad_(),
    )
    queries = [torch.arange(2 * n).view(n, 2) for n in counts]
    targets = torch.rand(sum(counts), *size)
    weights = torch.rand(sum(counts), 2)
    return masks, Matches.fixed(queries, 1), targets, weights


@pytest.mark.parametrize('chunk_size', [1, 50, 2**24])
@pytest.mark.parametrize('counts', [(3, 5), (0, 4), (0, 0)])
def test_chunks_change_nothing(counts, chunk_size):
    masks, matches, targets, weights = make(*counts)
    maps = masks.dense()[matches.image, matches.query]
    maps = maps.view(*weights.shape, *masks.size)
    want = DICE(maps, targets, weights, 2.5)
    got = loss_in_chunks(
        *(DICE, masks, matches, targets, weights, 2.5, chunk_size)
    )
    torch.testing.assert_close(got, want)
    for ours, theirs in zip(
        torch.autograd.grad(got, masks),
        torch.autograd.grad(want, masks),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_maps_exist_in_chunks_only():
    # 100 maps of 16 kB; the features take 64 kB, as does their gradient.
    masks, matches, targets, weights = make(50, size=(64, 64))
    with LargestTensor(*masks, targets) as largest:
        loss = loss_in_chunks(
            *(DICE, masks, matches, targets, weights, 1.0, 2**14)
        )
        torch.autograd.grad(loss, masks)
    assert largest.megabytes <= 2**16 / 2**20
