"""Sampling of binary masks and features against ``grid_sample``."""

import pytest
import torch

from mmseg_plugin.structures import sample_features, sample_maps, sample_masks


@pytest.mark.parametrize('dtype', [torch.bool, torch.uint8])
def test_masks_are_sampled_as_if_they_were_float(dtype):
    torch.manual_seed(0)
    masks = (torch.rand(4, 5, 9) > 0.5).to(dtype)
    points = torch.rand(50, 2, dtype=torch.float64) * 1.4 - 0.2
    want = sample_maps(masks.double(), points.expand(4, -1, -1))
    (got,) = sample_masks([masks], points[None])
    torch.testing.assert_close(got, want, rtol=0, atol=1e-14)


@pytest.mark.parametrize('budget', [1, 60, None])
def test_images_have_points_of_their_own(budget):
    masks = [torch.rand(count, 5, 9) > 0.5 for count in (4, 0, 2)]
    points = torch.rand(3, 10, 2)
    got = sample_masks(masks, points, budget)
    for values, some, where in zip(got, masks, points, strict=True):
        (alone,) = sample_masks([some], where[None])
        assert torch.equal(values, alone)


def test_a_mask_is_soft_between_pixels_and_zero_outside():
    mask = torch.tensor([[[True, False]]])
    # Centre of the first pixel, border between both, right end, outside.
    points = torch.tensor([[0.25, 0.5], [0.5, 0.5], [1, 0.5], [3, 0.5]])
    (values,) = sample_masks([mask], points[None])
    assert values.tolist() == [[1, 0.5, 0, 0]]


def test_no_masks_give_no_values():
    masks = torch.zeros(0, 4, 4, dtype=torch.bool)
    (values,) = sample_masks([masks], torch.rand(1, 3, 2))
    assert values.shape == (0, 3)


def test_gradients_of_sampled_features():
    torch.manual_seed(0)
    features = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    points = torch.rand(2, 6, 2, dtype=torch.float64) * 1.4 - 0.2
    assert torch.autograd.gradcheck(
        lambda value: sample_features(value, points), features
    )


def test_points_that_are_not_numbers_read_nothing_outside():
    points = torch.full((1, 1, 2), torch.nan)
    sampled = sample_features(torch.ones(1, 2, 3, 3), points)
    assert sampled.shape == (1, 1, 2)
