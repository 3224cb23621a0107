"""One query, layer by layer."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample

from mmseg_plugin.visualization.query_views import (
    ModelViews,
    draw_views,
    query_views,
)
from tests.tiny_heads import CHANNELS, tiny_mask2former
from tests.tiny_mask_dino import tiny_mask_dino


def model_of(head):
    """A detector whose backbone only has to give maps."""
    maps = [
        torch.randn(1, channels, 16 // 2**i, 24 // 2**i)
        for i, channels in enumerate(CHANNELS)
    ]
    return SimpleNamespace(
        panoptic_head=head.eval(), extract_feat=lambda image: maps
    )


@pytest.fixture
def mask_dino():
    torch.manual_seed(0)
    return model_of(tiny_mask_dino())


def views_of(model, **options):
    image = torch.zeros(1, 3, 64, 96)
    return query_views(model, image, DetDataSample(), **options)


@torch.no_grad()
def test_views_are_the_predictions(mask_dino):
    head = mask_dino.panoptic_head
    logits, masks, boxes = head(mask_dino.extract_feat(None), None).matching
    query, views = views_of(mask_dino, query=3)
    assert query == 3
    names = ['encoder', 'start', 'layer 1', 'layer 2']
    assert [view.name for view in views] == names
    for i, view in enumerate(views):
        scores = logits[i, 0, 3].sigmoid()
        assert view.label == scores.argmax()
        assert view.score == pytest.approx(scores.max().item())
        np.testing.assert_allclose(view.box, boxes[i, 0, 3])
        prob = masks.dense()[i, 0, 3].sigmoid()
        np.testing.assert_allclose(view.mask, prob, atol=1e-5)


def test_points_lie_where_the_attention_looks(mask_dino):
    """Offsets of zero: every layer looks at the centre of its box."""
    for layer in mask_dino.panoptic_head.transformer_decoder.layers:
        torch.nn.init.zeros_(layer.cross_attn.sampling_offsets.weight)
        torch.nn.init.zeros_(layer.cross_attn.sampling_offsets.bias)
    _, views = views_of(mask_dino, query=2)
    assert views[0].points is None
    assert views[1].points is None
    points, weights = views[2].points
    # Heads, levels, points; weights of each head sum to one.
    assert points.shape == (4 * 4 * 4, 2)
    assert weights.sum() == pytest.approx(4)
    centre = np.broadcast_to(views[1].box[:2], points.shape)
    np.testing.assert_allclose(points, centre, atol=1e-5)


def test_hooks_do_not_stay(mask_dino):
    views_of(mask_dino)
    for module in mask_dino.panoptic_head.modules():
        assert not module._forward_pre_hooks


def test_the_surest_query(mask_dino):
    query, views = views_of(mask_dino)
    last = [views_of(mask_dino, query=i)[1][-1].score for i in range(7)]
    assert query == np.argmax(last)
    assert views[-1].score == pytest.approx(max(last))


def test_the_surest_query_at_a_point(mask_dino):
    last = [views_of(mask_dino, query=i)[1][-1] for i in range(7)]
    covered = np.array([view.mask > 0.5 for view in last])
    best = np.argmax([view.score for view in last])
    # The surest of all is not there, at least two others are.
    where = ~covered[best] & (covered.sum(0) > 1)
    row, column = np.argwhere(where)[0]
    covering = {
        i: view.score for i, view in enumerate(last) if covered[i, row, column]
    }
    query, _ = views_of(mask_dino, at=((column + 0.5) / 24, (row + 0.5) / 16))
    assert query == max(covering, key=covering.get)


def test_unknown_query(mask_dino):
    with pytest.raises(ValueError, match='query 7 is not one of the 7'):
        views_of(mask_dino, query=7)


def test_mask2former_beside_mask_dino(mask_dino):
    mask2former = model_of(tiny_mask2former())
    _, views = views_of(mask2former)
    assert [view.name for view in views][:2] == ['start', 'layer 1']
    assert all(view.box is None and view.points is None for view in views)
    # Each sees the image at its size, and has its own classes.
    shown = [
        (views_of(mask_dino)[1], (60, 90), 'abcdefgh'),
        (views, (30, 96), 'ABCDEFGH'),
    ]
    rows = [
        ModelViews('x', part, np.zeros((*size, 3), np.uint8), (64, 96), names)
        for part, size, names in shown
    ]
    axes = iter(draw_views(rows).axes)
    for part, (height, width), names in shown:
        for view, drawn in zip(part, axes, strict=False):
            name = f'{view.name}: {names[view.label]} '
            assert drawn.get_title().startswith(name)
            assert drawn.get_xlim() == (0, width)
            assert drawn.get_ylim() == (height, 0)
    assert not list(axes)


def test_no_mask_at_a_point(mask_dino):
    last = mask_dino.panoptic_head.pixel_decoder.mask_feature
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    with pytest.raises(ValueError, match=r'no mask covers the point 0\.50'):
        views_of(mask_dino, at=(0.5, 0.5))
