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
