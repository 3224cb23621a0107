"""Importance-sampled points against sorting all candidates."""

import pytest
import torch

from mmseg_plugin.models.losses.point_sampler import PointSampler
from mmseg_plugin.structures.sampling import sample_grid


@pytest.mark.parametrize('sets', [4, 1])
def test_points_are_the_most_uncertain_candidates_and_fresh_ones(sets):
    sampler = PointSampler(num_points=7, oversample_ratio=2.5)
    # Both products are truncated.
    assert (sampler.num_candidates, sampler.num_uncertain) == (17, 5)
    torch.manual_seed(0)
    maps = torch.randn(4, 5, 6)
    uniform = 2 * torch.rand(sets, 17 + 2, 2) - 1
    places, logits = sampler.draw(maps, uniform)
    assert places.shape == (4, 7, 2)
    torch.testing.assert_close(logits, sample_grid(maps, places))
    uniform = uniform.expand(4, -1, -1)
    assert torch.equal(places[:, 5:], uniform[:, 17:])
    distance = sample_grid(maps, uniform[:, :17]).abs()
    for i in range(4):
        want = uniform[i, distance[i].argsort()[:5]].tolist()
        assert sorted(places[i, :5].tolist()) == sorted(want)


@pytest.mark.parametrize('ratio', [0.0, 1.0])
def test_all_or_none_of_the_points_are_uncertain(ratio):
    sampler = PointSampler(num_points=6, importance_sample_ratio=ratio)
    places, logits = sampler.draw(torch.randn(2, 5, 6))
    assert places.shape == (2, 6, 2)
    assert logits.shape == (2, 6)
    assert ((places >= -1) & (places < 1)).all()
