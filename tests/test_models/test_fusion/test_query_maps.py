import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.models.fusion.cpu_maps import above
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.models.fusion.sizes import Sizes
from mmseg_plugin.structures.sampling import resize

SIZES = [
    Sizes((96, 128), (90, 117), (131, 173)),
    Sizes((96, 128), (96, 128), (96, 128)),
    Sizes((96, 128), (64, 100), (64, 100)),
    Sizes((96, 128), (90, 128), (45, 64)),
    Sizes((97, 131), (97, 120), (300, 61)),
]


@pytest.mark.parametrize('sizes', SIZES)
def test_crops_are_the_parts_of_the_whole_that_hold_all_positives(sizes):
    generator = torch.Generator().manual_seed(0)
    low = torch.randn(40, 24, 32, generator=generator) - 2
    low[0] = -1.0
    low[1] = 1.0
    for i in range(2, 30):  # few positive pixels, at the edges too
        low[i] = low[i].abs().neg()
        low[i].view(-1)[i * 97 % 768] = 5.0
    maps = QueryMaps(low[None], 0, sizes)
    queries = torch.arange(40)
    whole = F.interpolate(
        F.interpolate(low[None], sizes.padded, mode='bilinear')[
            :, :, : sizes.image[0], : sizes.image[1]
        ],
        sizes.out,
        mode='bilinear',
    )[0]
    torch.testing.assert_close(maps.full(queries), whole, rtol=0, atol=1e-5)
    for got, want in zip(above(low, sizes, 0.0), whole, strict=True):
        rest = want > 0
        height, width = got.pixels.shape
        part = (
            slice(got.top, got.top + height),
            slice(got.left, got.left + width),
        )
        torch.testing.assert_close(got.pixels, want[part], rtol=0, atol=1e-5)
        assert torch.equal(got.pixels > 0, rest[part])
        rest[part] = False
        assert not rest.any()


def test_a_small_mask_costs_a_small_crop():
    low = torch.full((1, 1, 24, 32), -1.0)
    low[0, 0, 10, 20] = 1.0
    sizes = Sizes((96, 128), (96, 128), (192, 256))
    crop = next(above(low[0], sizes, 0.0))
    assert max(crop.pixels.shape) <= 24


@pytest.mark.parametrize('sizes', SIZES)
@pytest.mark.parametrize('low', [(24, 32), (25, 33), (96, 128), (1, 1)])
def test_whole_maps_have_the_bits_of_two_resizes(sizes, low):
    masks = torch.randn(3, *low)
    height, width = sizes.image
    padded = resize(masks, sizes.padded)[:, :height, :width]
    got = QueryMaps(masks[None], 0, sizes).full(torch.arange(3))
    want = resize(padded, sizes.out)
    # PyTorch has another kernel for small results, which rounds otherwise.
    small = sum(sizes.out) <= 128
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6 * small)


def test_what_has_a_gradient_keeps_it():
    masks = torch.randn(1, 2, 24, 32, requires_grad=True)
    maps = QueryMaps(masks, 0, SIZES[0])
    maps.full(torch.arange(2)).sum().backward()
    assert masks.grad.sum() == pytest.approx(2 * 131 * 173, rel=1e-4)
