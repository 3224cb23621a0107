"""CARAFE, masks of point-wise attention, masked convolution, overlaps."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.ops import ext

from .conftest import gradients


@pytest.mark.parametrize('name', ['carafe', 'carafe_naive'])
@pytest.mark.parametrize(
    ('kernel', 'groups', 'scale'), [(3, 1, 2), (5, 2, 1), (1, 4, 3)]
)
def test_carafe_weighs_neighbourhoods(run_with, name, kernel, groups, scale):
    torch.manual_seed(0)
    maps = torch.randn(2, 8, 4, 5, dtype=torch.float64, requires_grad=True)
    shape = (2, groups * kernel**2, 4 * scale, 5 * scale)
    masks = torch.randn(shape, dtype=torch.float64, requires_grad=True)

    def call(part):
        out = getattr(part, name)(maps, masks, kernel, groups, scale)
        if name == 'carafe_naive':
            # Its backward pass is for GPUs alone, says mmcv.
            return [out.detach()]
        return gradients(out, maps, masks)

    seen = F.unfold(maps, kernel, padding=kernel // 2)
    seen = seen.view(2, 8 * kernel**2, 4, 5)
    seen = F.interpolate(seen, scale_factor=scale)
    seen = seen.view(2, groups, 8 // groups, kernel**2, *shape[2:])
    weights = masks.view(2, groups, 1, kernel**2, *shape[2:])
    out = (seen * weights).sum(3).flatten(1, 2)
    expected = gradients(out, maps, masks)
    found = run_with('carafe', ext, call)
    for our, exact in zip(found, expected, strict=False):
        torch.testing.assert_close(our, exact)


@pytest.mark.parametrize('kind', ['collect', 'distribute'])
@pytest.mark.parametrize('mask', [(3, 3), (5, 7), (2, 4), (9, 9)])
def test_psamask_equals_the_compiled_one(same, kind, mask):
    torch.manual_seed(0)
    maps = torch.randn(2, mask[0] * mask[1], 4, 5, requires_grad=True)
    same(
        'psa_mask',
        lambda part: gradients(part.PSAMask(kind, mask)(maps), maps),
    )


@pytest.mark.parametrize(
    ('kernel', 'padding'), [((3, 3), (1, 1)), ((1, 5), (0, 2))]
)
def test_masked_convolution_is_one_where_the_mask_is(
    run_with, kernel, padding
):
    torch.manual_seed(0)
    image, mask = torch.randn(1, 3, 7, 6), torch.rand(1, 7, 6) - 0.5
    weight, bias = torch.randn(4, 3, *kernel), torch.randn(4)

    def call(part):
        return part.masked_conv2d(image, mask, weight, bias, padding)

    whole = F.conv2d(image, weight, bias, padding=padding)
    torch.testing.assert_close(
        run_with('masked_conv', ext, call), whole * (mask > 0)
    )


@pytest.mark.parametrize('mode', ['iou', 'iof'])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('offset', [0, 1])
def test_overlaps_equal_the_compiled_ones(same, mode, aligned, offset):
    torch.manual_seed(0)
    corners = torch.rand(2, 9, 2, 2) * 10
    first, second = torch.cat([corners.amin(2), corners.amax(2)], -1)
    second = second if aligned else second[:6]
    same(
        'bbox',
        lambda part: [
            part.bbox_overlaps(first, second, mode, aligned, offset)
        ],
    )
