"""The factored mask logits against the dense product."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.structures import MaskLogits, Matches, sample_maps

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


def make(leading=(3,), dtype=torch.float64, batch=2, queries=5):
    torch.manual_seed(0)
    embed = torch.randn(*leading, batch, queries, 8, dtype=dtype)
    features = torch.randn(batch, 8, 6, 7, dtype=dtype)
    return MaskLogits(embed.requires_grad_(), features.requires_grad_())


def assert_same(masks, got, want):
    """Same values, and the same gradients of a random functional."""
    tol = TOLERANCE[got.dtype]
    torch.testing.assert_close(got, want, rtol=tol, atol=tol)
    weight = torch.randn_like(got)
    for ours, theirs in zip(
        torch.autograd.grad((got * weight).sum(), masks),
        torch.autograd.grad((want * weight).sum(), masks),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=tol, atol=tol * 10)


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('leading', [(), (3,), (2, 3)])
# 42 pixels: fewer points are sampled first, more points multiplied first.
@pytest.mark.parametrize('num_points', [1, 9, 100])
def test_at_is_the_sampled_dense_product(dtype, leading, num_points):
    masks = make(leading, dtype)
    # Some lie outside, where the maps are zero.
    points = torch.rand(2, num_points, 2, dtype=dtype) * 1.4 - 0.2
    dense = masks.dense()
    want = torch.stack(
        [
            sample_maps(
                dense.reshape(-1, 2, 5, 6, 7)[:, image].flatten(0, 1),
                where.expand(masks.num_layers * 5, -1, -1),
            ).reshape(*leading, 5, -1)
            for image, where in enumerate(points)
        ],
        dim=-3,
    )
    assert_same(masks, masks.at(points), want)


@pytest.mark.parametrize('num_points', [9, 100])
def test_at_takes_points_of_each_layer(num_points):
    masks = make()
    points = torch.rand(3, 2, num_points, 2, dtype=torch.float64)
    got = masks.at(points)
    for layer in range(3):
        alone = MaskLogits(masks.embed[layer], masks.features)
        torch.testing.assert_close(got[layer], alone.at(points[layer]))


def test_at_a_pixel_centre_is_the_pixel():
    masks = make()
    # Row 4 of 6 and column 2 of 7.
    points = torch.tensor([2.5 / 7, 4.5 / 6], dtype=torch.float64)
    got = masks.at(points.expand(2, 1, 2))
    torch.testing.assert_close(got[..., 0], masks.dense()[..., 4, 2])


def test_of_gives_the_maps_of_the_chosen_triples():
    masks = make()
    pairs = Matches(
        layer=torch.tensor([2, 0, 1]),
        image=torch.tensor([0, 0, 1]),
        query=torch.tensor([4, 4, 0]),
        target=torch.tensor([0, 1, 0]),
        repeats=((1, 1), (1,)),
    )
    want = masks.dense()[pairs.layer, pairs.image, pairs.query]
    assert_same(masks, masks.of(pairs), want)


def test_of_nothing_is_empty_and_keeps_the_graph():
    masks = make()
    chosen = Matches.fixed([torch.empty(0, 1, dtype=torch.long)] * 2, 3)
    maps = masks.of(chosen)
    assert maps.shape == (0, 6, 7)
    for grad in torch.autograd.grad(maps.sum(), masks):
        assert not grad.any()


@pytest.mark.parametrize('size', [(3, 3), (13, 5)])
def test_resized_is_the_resized_dense_product(size):
    masks = make()
    want = F.interpolate(
        masks.dense().flatten(0, 1), size, mode='bilinear'
    ).unflatten(0, (3, 2))
    assert_same(masks, masks.resized(size).dense(), want)


def test_features_of_another_image_give_its_logits():
    masks = make()
    crossed = MaskLogits(masks.embed, masks.features.flip(0))
    want = torch.einsum('lqd,dhw->lqhw', masks.embed[:, 0], masks.features[1])
    torch.testing.assert_close(crossed.dense()[:, 0], want)
