"""RoI pooling and border alignment, which mmcv compiles for GPUs alone."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.ops import ext

from .conftest import gradients


@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_roi_pool_takes_the_largest_value_of_each_bin(run_with, scale):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 9, 12, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[0, 2, 1, 9, 7], [1, 0, 0, 3, 3.0]])
    boxes[:, 1:] = boxes[:, 1:] / scale
    boxes[:, 3:] += 1 / scale - 1
    rois = boxes.to(maps)

    def call(part):
        return gradients(part.roi_pool(maps, rois, (2, 2), scale), maps)

    parts = [maps[0, :, 1:8, 2:10], maps[1, :, 0:4, 0:4]]
    # With halves of odd sizes, bins share a row, like adaptive pooling's.
    pooled = torch.stack([F.adaptive_max_pool2d(part, 2) for part in parts])
    found = run_with('roi_pool', ext, call)
    for our, exact in zip(found, gradients(pooled, maps), strict=True):
        torch.testing.assert_close(our, exact)


def test_a_region_outside_pools_nothing(run_with):
    maps = torch.rand(1, 2, 4, 4, requires_grad=True)
    rois = torch.tensor([[0, 50, 50, 60, 60.0], [0, 3, 3, 1, 1]])

    def call(part):
        return gradients(part.roi_pool(maps, rois, 3), maps)

    assert not any(x.any() for x in run_with('roi_pool', ext, call))


def test_border_align_samples_each_side(run_with):
    torch.manual_seed(0)
    maps = torch.randn(2, 12, 8, 9, dtype=torch.float64, requires_grad=True)
    corner = torch.rand(2, 5, 2, dtype=torch.float64) * 4
    boxes = torch.cat([corner, corner + 3], 2)

    def call(part):
        return gradients(part.border_align(maps, boxes, 4), maps)

    steps = torch.linspace(0, 1, 5, dtype=torch.float64)
    x1, y1, x2, y2 = boxes[..., None].unbind(2)
    still = torch.zeros_like(steps)
    sides = [
        (x1 + (x2 - x1) * steps, y1 + still),
        (x1 + still, y1 + (y2 - y1) * steps),
        (x2 - (x2 - x1) * steps, y2 + still),
        (x2 + still, y2 - (y2 - y1) * steps),
    ]
    size = torch.tensor([9, 8])
    pooled = []
    for part, side in zip(maps.chunk(4, 1), sides, strict=True):
        # Pixel centres are at whole numbers.
        grid = (torch.stack(side, -1) + 0.5) * 2 / size - 1
        values = F.grid_sample(part, grid, align_corners=False)
        pooled.append(values.amax(3))
    expected = gradients(torch.stack(pooled, -1), maps)
    found = run_with('border_align', ext, call)
    for our, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(our, exact)


@pytest.mark.parametrize('ratio', [0, 2])
def test_bins_without_offsets_are_those_of_roi_align(run_with, ratio):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 9, 12, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor(
        [[0, 2, 1, 9, 7], [1, -3, 0, 30, 3], [0, 5, 5, 2, 2.0]]
    ).to(maps)

    def call(part):
        if hasattr(part, 'deform_roi_pool'):
            pooled = part.deform_roi_pool(maps, rois, None, (2, 3), 0.5, ratio)
        else:
            pooled = part.roi_align(
                maps, rois, (2, 3), 0.5, ratio, 'avg', True
            )
        return gradients(pooled, maps)

    found = [
        run_with(module, ext, call)
        for module in ('deform_roi_pool', 'roi_align')
    ]
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours, exact)


def test_each_bin_of_a_region_moves_by_its_offset(run_with):
    """As bilinear samples of a map that is padded by its edge, one a bin."""
    torch.manual_seed(0)
    maps = torch.randn(1, 3, 9, 12, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor([[0, 2, 2, 8, 6.0]]).to(maps)
    offset = torch.rand(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)

    def call(part):
        pooled = part.deform_roi_pool(maps, rois, offset, (2, 3), 1, 1, 0.2)
        return gradients(pooled, maps, offset)

    x = torch.tensor([3, 5, 7.0]) - 0.5 + 0.2 * 6 * offset[0, 0]
    y = torch.tensor([[3], [5.0]]) - 0.5 + 0.2 * 4 * offset[0, 1]
    grid = torch.stack([2 * x / 11 - 1, 2 * y / 8 - 1], -1)[None]
    exact = F.grid_sample(maps, grid, align_corners=True)
    theirs = gradients(exact, maps, offset)
    found = run_with('deform_roi_pool', ext, call)
    for ours, other in zip(found, theirs, strict=True):
        torch.testing.assert_close(ours, other)


@pytest.mark.parametrize('name', ['Deform', 'ModulatedDeform'])
def test_the_layers_of_configs_train(run_with, name):
    torch.manual_seed(0)
    maps = torch.randn(2, 4, 9, 12, requires_grad=True)
    rois = torch.tensor([[0, 1, 1, 10, 10], [1, 4, 2, 7, 16.0]])

    def call(part):
        kind = getattr(part, f'{name}RoIPoolPack')
        layer = kind((3, 3), 4, deform_fc_channels=8, spatial_scale=0.5)
        torch.nn.init.normal_(layer.offset_fc[-1].weight)
        return gradients(layer(maps, rois), maps, layer.offset_fc[0].weight)

    pooled, *grads = run_with('deform_roi_pool', ext, call)
    assert pooled.shape == (2, 4, 3, 3)
    assert all(grad.isfinite().all() and grad.any() for grad in grads)


def test_no_region_pools_nothing(run_with):
    maps = torch.randn(2, 4, 9, 12, requires_grad=True)
    offset = torch.zeros(0, 2, 3, 3)

    def call(part):
        rois = maps.new_zeros(0, 5)
        return gradients(part.deform_roi_pool(maps, rois, offset, 3), maps)

    pooled, grad = run_with('deform_roi_pool', ext, call)
    assert pooled.shape == (0, 4, 3, 3)
    assert not grad.any()
