import pytest
import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import (
    multi_scale_deformable_attn_pytorch,
)

from mmseg_plugin.models.layers import (
    DeformableAttention,
    use_deformable_attention,
)
from mmseg_plugin.models.layers.deformable_attention import (
    attend_on_device,
    deformable_attention,
    level_geometry,
)
from mmseg_plugin.ops.ms_deform_attn import attend

SIZES = [(2, 3), (5, 4), (1, 7)]
PIXELS = sum(height * width for height, width in SIZES)
BATCH, QUERIES, HEADS, POINTS, CHANNELS = 2, 9, 4, 3, 8


def inputs(dtype=torch.float64):
    """Value, locations (some outside) and weights."""
    torch.manual_seed(0)
    shape = (BATCH, QUERIES, HEADS, len(SIZES), POINTS)
    tensors = (
        torch.randn(BATCH, PIXELS, HEADS, CHANNELS, dtype=dtype),
        torch.rand(*shape, 2, dtype=dtype) * 1.6 - 0.3,
        torch.rand(shape, dtype=dtype),
    )
    return [tensor.requires_grad_() for tensor in tensors]


def test_numbers_and_gradients_are_those_of_mmcv():
    value, locations, weights = inputs()
    got = deformable_attention(value, SIZES, locations, weights)
    want = multi_scale_deformable_attn_pytorch(
        value, SIZES, locations, weights
    )
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    seed = torch.randn_like(want)
    grads = [
        torch.autograd.grad(out, [value, locations, weights], seed)
        for out in (got, want)
    ]
    for mine, other in zip(*grads, strict=True):
        assert mine.abs().max() > 0
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_gradients_are_those_of_finite_differences():
    value, locations, weights = inputs()
    assert torch.autograd.gradcheck(
        lambda *args: deformable_attention(args[0], SIZES, *args[1:]),
        (value, locations[:, :1].detach(), weights[:, :1].detach()),
        fast_mode=True,
    )


def test_levels_must_have_all_pixels():
    value, locations, weights = inputs()
    with pytest.raises(ValueError, match='33 values for levels of sizes'):
        deformable_attention(value, SIZES[:2] + [(2, 7)], locations, weights)


def modules(**changes):
    torch.manual_seed(0)
    config = {
        'embed_dims': 32,
        'num_heads': HEADS,
        'num_levels': len(SIZES),
        'num_points': POINTS,
        'dropout': 0.0,
        'batch_first': True,
    }
    theirs = MultiScaleDeformableAttention(**config | changes)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    ours = DeformableAttention(**config | changes)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize('batch_first', [True, False])
@pytest.mark.parametrize('coordinates', [2, 4])
@pytest.mark.parametrize('ratio', [1.0, 0.5])
def test_module_does_what_mmcv_does(batch_first, coordinates, ratio):
    ours, theirs = modules(batch_first=batch_first, value_proj_ratio=ratio)
    query = torch.randn(BATCH, QUERIES, 32)
    value = torch.randn(BATCH, PIXELS, 32)
    pos = torch.randn(BATCH, QUERIES, 32)
    if not batch_first:
        query, value, pos = (x.transpose(0, 1) for x in (query, value, pos))
    shapes, starts = level_geometry(SIZES, query.device)
    padding = torch.zeros(BATCH, PIXELS, dtype=torch.bool)
    padding[1, 20:] = True
    kwargs = {
        'value': value,
        'query_pos': pos,
        'key_padding_mask': padding,
        'reference_points': torch.rand(
            BATCH, QUERIES, len(SIZES), coordinates
        ),
        'spatial_shapes': shapes,
        'level_start_index': starts,
    }
    torch.testing.assert_close(
        ours(query, **kwargs), theirs(query, **kwargs), rtol=1e-5, atol=1e-5
    )
    kwargs['identity'] = torch.zeros_like(query)
    torch.testing.assert_close(
        ours(query, **kwargs), theirs(query, **kwargs), rtol=1e-5, atol=1e-5
    )


def test_autocast_samples_in_float32():
    ours, _ = modules()
    query = torch.randn(BATCH, PIXELS, 32)
    shapes, starts = level_geometry(SIZES, query.device)
    kwargs = {
        'reference_points': torch.rand(BATCH, PIXELS, len(SIZES), 2),
        'spatial_shapes': shapes,
        'level_start_index': starts,
    }
    want = ours(query, **kwargs)
    with torch.autocast('cpu', torch.bfloat16):
        got = ours(query, **kwargs)
    got.sum().backward()
    assert all(p.grad.isfinite().all() for p in ours.parameters())
    torch.testing.assert_close(got, want, rtol=0.1, atol=0.1)


def test_replaces_mmcvs_and_keeps_the_state():
    _, theirs = modules()
    tree = torch.nn.Sequential(torch.nn.Sequential(theirs))
    state = tree.state_dict()
    use_deformable_attention(tree)
    assert type(tree[0][0]) is DeformableAttention
    assert tree.state_dict().keys() == state.keys()


def test_level_geometry():
    shapes, starts = level_geometry(SIZES, torch.device('cpu'))
    assert shapes.tolist() == [list(size) for size in SIZES]
    assert starts.tolist() == [0, 6, 26]


def test_a_device_without_the_operator_takes_the_fallback():
    module = DeformableAttention(HEADS * CHANNELS, HEADS, num_levels=3)
    value, locations, weights = (part.to('meta') for part in inputs())
    output = module._attend(
        value, locations, weights, *level_geometry(SIZES, torch.device('cpu'))
    )
    assert output.device.type == 'meta'
    assert output.shape == (BATCH, QUERIES, HEADS * CHANNELS)


@pytest.mark.parametrize('empty', [0, 1, 3])
def test_a_level_without_pixels_shows_nothing(empty):
    """First, between the others or last."""
    module = DeformableAttention(
        32, HEADS, num_levels=4, num_points=POINTS, batch_first=True
    ).eval()
    torch.nn.init.normal_(module.sampling_offsets.weight)
    sizes = [*SIZES[:empty], (0, 5), *SIZES[empty:]]
    query = torch.randn(BATCH, QUERIES, 32)
    value = torch.randn(BATCH, PIXELS, 32, requires_grad=True)
    shapes, starts = level_geometry(sizes, query.device)
    places = torch.rand(BATCH, QUERIES, 4, 2)
    inputs = {
        'value': value,
        'reference_points': places,
        'spatial_shapes': shapes,
        'level_start_index': starts,
    }
    got = module(query, **inputs)
    again = module(query, **inputs, sizes=tuple(sizes))
    torch.testing.assert_close(got, again)
    got.sum().backward()
    assert got.isfinite().all()
    assert value.grad.isfinite().all()
    # As if that level were one pixel of nothing.
    projected = module.value_proj(value.detach())
    start = starts[empty]
    nothing = torch.zeros(BATCH, 1, 32)
    parts = projected[:, :start], nothing, projected[:, start:]
    one = torch.cat(parts, 1).unflatten(-1, (HEADS, -1))
    seen = [*SIZES[:empty], (1, 1), *SIZES[empty:]]
    want = deformable_attention(
        one,
        seen,
        module._locations(query, places, shapes),
        module._weights(query),
    )
    want = module.output_proj(want) + query
    torch.testing.assert_close(got.detach(), want.detach())


def test_is_a_node_of_compiled_graphs():
    """Fakes, gradients and schemas."""
    value, locations, weights = inputs(torch.float32)
    shapes, starts = level_geometry(SIZES, value.device)
    torch.library.opcheck(attend, (value, shapes, starts, locations, weights))


class StandIn(torch.autograd.Function):
    """mmcv's operator on a machine without a GPU."""

    @staticmethod
    def forward(ctx, value, shapes, starts, locations, weights, step):
        ctx.save_for_backward(value, shapes, starts, locations, weights)
        return multi_scale_deformable_attn_pytorch(
            value, shapes, locations, weights
        )

    @staticmethod
    def backward(ctx, grad):
        value, shapes, _, locations, weights = ctx.saved_tensors
        return (
            grad.mean() * torch.ones_like(value),
            *(None, None, torch.ones_like(locations)),
            *(torch.ones_like(weights), None),
        )


def test_mmcvs_operator_as_a_node(monkeypatch):
    monkeypatch.setattr(
        'mmseg_plugin.models.layers.deformable_attention.'
        'MultiScaleDeformableAttnFunction',
        StandIn,
    )
    value, locations, weights = inputs(torch.float32)
    shapes, starts = level_geometry(SIZES, value.device)
    given = (value, shapes, starts, locations, weights, 64)
    torch.library.opcheck(attend_on_device, given)
    out = attend_on_device(*given)
    torch.testing.assert_close(
        out, deformable_attention(value, SIZES, locations, weights)
    )
    out.sum().backward()
    assert (value.grad == 1).all()
    assert (locations.grad == 1).all()
    assert (weights.grad == 1).all()
