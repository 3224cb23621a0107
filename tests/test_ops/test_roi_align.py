import pytest
import torch

from .conftest import gradients


def make_rois(count, size, scale, seed):
    """Boxes of all sizes, some of them partly or wholly outside."""
    torch.manual_seed(seed)
    corners = (torch.rand(count, 2, 2) * 1.6 - 0.3) * size / scale
    boxes = [corners.amin(1), corners.amax(1)]
    return torch.cat([torch.randint(0, 2, (count, 1)).float(), *boxes], 1)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 1, 2, 3])
@pytest.mark.parametrize(
    ('channels', 'scale', 'count'),
    [(1, 1.0, 7), (5, 0.25, 9), (16, 1 / 8, 4), (3, 0.5, 0)],
)
def test_equals_the_compiled_one(
    same, mode, aligned, ratio, channels, scale, count
):
    rois = make_rois(count, 40, scale, seed=channels)
    maps = torch.randn(2, channels, 37, 50, requires_grad=True)

    def call(part):
        layer = part.RoIAlign((7, 5), scale, ratio, mode, aligned)
        return gradients(layer(maps, rois), maps)

    same('roi_align', call)


def test_targets_of_masks(same):
    """One channel, one map for each box, large boxes: rows come first."""
    torch.manual_seed(0)
    maps = torch.rand(5, 1, 200, 300, requires_grad=True)
    rois = make_rois(5, 300, 1.0, seed=0)
    rois[:, 0] = torch.arange(5)

    def call(part):
        return gradients(part.RoIAlign((28, 28), 1.0, 0)(maps, rois), maps)

    same('roi_align', call)


def test_chunks_make_no_difference(monkeypatch, run_with):
    from mmseg_plugin.ops import ext, roi_align

    maps = torch.randn(2, 8, 30, 30, requires_grad=True)
    rois = make_rois(9, 30, 1.0, seed=1)

    def call(part):
        return gradients(part.RoIAlign(7, 1.0, 2)(maps, rois), maps)

    whole = run_with('roi_align', ext, call)
    # Some channels at a time, then some regions.
    for name, most in (('_CHANNELS', 3), ('_CHUNK', 1)):
        monkeypatch.setattr(roi_align, name, most)
        torch.testing.assert_close(run_with('roi_align', ext, call), whole)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(run_with, dtype, mode):
    """Where the largest sample is must not be rounded."""
    from mmseg_plugin.ops import ext

    maps, rois = torch.randn(2, 4, 99, 99), make_rois(9, 99, 1.0, seed=2)
    maps, rois = maps.to(dtype), rois.to(dtype)
    torch.manual_seed(0)
    weight = torch.rand(9, 4, 7, 7).to(dtype)

    def call(part):
        leaf = maps.detach().requires_grad_()
        out = part.RoIAlign(7, 1.0, 2, mode)(leaf, rois)
        return out, *torch.autograd.grad(out, leaf, weight.to(out))

    half = run_with('roi_align', ext, call)
    maps, rois = maps.float(), rois.float()
    whole = run_with('roi_align', ext, call)
    for ours, exact in zip(half, whole, strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours.float(), exact, atol=0.02, rtol=0.01)
