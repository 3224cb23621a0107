"""Every method trains and predicts in half precision, on a CPU too."""

from functools import partial

import pytest
import torch

from mmseg_plugin.models.layers.coord_conv import CoordConvStack
from tests import tiny_panoptic_fcn
from tests.small_models import batch
from tests.test_configs import CONFIGS, build, load
from tests.tiny_heads import backbone_maps, tiny_mask2former
from tests.tiny_mask_dino import tiny_mask_dino

TINY = [
    'per_pixel/per-pixel-baseline_tiny_demo_scenes-semantic',
    'mask2former/mask2former_tiny_demo_scenes-semantic',
    'mask2former/mask2former_tiny_demo_scenes-panoptic',
    'maskdino/maskdino_tiny_demo_scenes',
    'maskdino/maskdino_tiny_demo_scenes-panoptic',
    'mask_rcnn/mask-rcnn_tiny_fpn_demo_scenes',
    'mask_rcnn/mask-rcnn_tiny_fpn_dice_scenes',
    'efpn/mask-rcnn_tiny_efpn_joint_demo_scenes',
    'panoptic_fcn/panoptic-fcn_tiny_demo_scenes',
    'ibs/panoptic-fcn-ibs_tiny_demo_scenes',
    'ibs/mask2former-ibs_tiny_demo_scenes-panoptic',
    'ibs/maskdino-ibs_tiny_demo_scenes-panoptic',
]
ISLANDS = [
    'mask2former/mask2former_tiny_demo_scenes-semantic',
    'mask2former/mask2former_tiny_demo_scenes-panoptic',
    'maskdino/maskdino_tiny_demo_scenes-panoptic',
]
HALVES = [torch.bfloat16, torch.float16]


def autocast(dtype):
    return torch.autocast('cpu', dtype)


@pytest.mark.parametrize('dtype', HALVES, ids=str)
@pytest.mark.parametrize('name', TINY)
def test_a_step_and_predictions(name, dtype):
    path = CONFIGS / f'{name}.py'
    torch.manual_seed(0)
    step_and_predictions(build(path, 'mmdet'), path, dtype)


@pytest.mark.parametrize('dtype', HALVES, ids=str)
@pytest.mark.parametrize('name', ISLANDS)
def test_without_islands(name, dtype):
    """Encoder and decoder in autocast, by ``autocast=True``."""
    path = CONFIGS / f'{name}.py'
    torch.manual_seed(0)
    model = build(path, 'mmdet')
    islands = [part for part in model.modules() if hasattr(part, 'autocast')]
    assert islands
    for part in islands:
        part.autocast = True
    step_and_predictions(model, path, dtype)


def step_and_predictions(model, path, dtype):
    model.init_weights()
    model.train()
    data = model.data_preprocessor(batch(load(path).model), True)
    with autocast(dtype):
        loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert loss.isfinite()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads
    assert all(grad.isfinite().all() for grad in grads)
    model.eval()
    data = model.data_preprocessor(batch(load(path).model), False)
    with torch.no_grad(), autocast(dtype):
        results = model(**data, mode='predict')
    for result in results:
        assert any(key.startswith('pred_') for key in result.keys())  # noqa: SIM118


HEADS = {
    'Mask2Former': tiny_mask2former,
    'MaskDINO': tiny_mask_dino,
    'MaskDINO from masks': partial(
        tiny_mask_dino, initialize_box_type='bitmask'
    ),
}


@pytest.mark.parametrize('dtype', HALVES, ids=str)
@pytest.mark.parametrize('autocast_on', [False, True])
@pytest.mark.parametrize('name', HEADS)
def test_predictions_are_the_same_but_for_rounding(name, autocast_on, dtype):
    torch.manual_seed(0)
    head = HEADS[name](autocast=autocast_on).eval()
    head.init_weights()
    x = backbone_maps()
    with torch.no_grad():
        want = flat(head.predict(x, None))
        with autocast(dtype):
            got = flat(head.predict([level.to(dtype) for level in x], None))
    step = torch.finfo(dtype).eps
    for half, full in zip(got, want, strict=True):
        error = (half.double() - full).abs().mean() / full.abs().mean()
        assert error < 8 * step


@pytest.mark.parametrize('name', HEADS)
def test_islands_are_left_where_asked_for(name):
    """Products of the pixel decoder's layers, the largest of a head."""
    kinds = {}
    for autocast_on in (False, True):
        head = HEADS[name](autocast=autocast_on).eval()
        layer = head.pixel_decoder.encoder.layers[0].ffn.layers[0][0]
        layer.register_forward_hook(
            lambda _, __, out, on=autocast_on: kinds.update({on: out.dtype})
        )
        with torch.no_grad(), autocast(torch.bfloat16):
            head.predict(backbone_maps(), None)
    assert kinds == {False: torch.float32, True: torch.bfloat16}


def flat(predictions):
    cls_logits, masks, *boxes = predictions
    masks = torch.einsum('bqd,bdhw->bqhw', *map(torch.Tensor.double, masks))
    return [cls_logits.sigmoid(), masks, *boxes]


@pytest.mark.parametrize('dtype', HALVES, ids=str)
@pytest.mark.parametrize('kind', ['DCN', 'DCNv2'])
def test_deformable_convolutions(kind, dtype):
    """Those of Panoptic FCN's published position head, in float32."""
    norm = {'type': 'GN', 'num_groups': 4}
    stack = CoordConvStack(4, 8, conv_cfg={'type': kind}, norm_cfg=norm)
    x = torch.randn(1, 4, 12, 12)
    want = stack(x)
    with autocast(dtype):
        got = stack(x.to(dtype))
    torch.testing.assert_close(got.float(), want, rtol=0.05, atol=0.05)
    got.sum().backward()
    for part in stack.convs:
        assert part.conv.weight.grad.isfinite().all()
        assert part.conv.conv_offset.weight.grad.isfinite().all()


def test_published_position_head():
    deformed = {'channels': 32, 'conv_cfg': {'type': 'DCNv2'}}
    model = tiny_panoptic_fcn.build(position_head=deformed).train()
    batch = [tiny_panoptic_fcn.sample(), tiny_panoptic_fcn.sample(())]
    with autocast(torch.bfloat16):
        losses = tiny_panoptic_fcn.losses(model, batch)
    assert sum(losses.values()).isfinite()
