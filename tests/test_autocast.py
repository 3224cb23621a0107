"""Every method trains and predicts in half precision, on a CPU too."""

import pytest
import torch

from mmseg_plugin.models.layers.coord_conv import CoordConvStack
from tests import tiny_panoptic_fcn
from tests.test_configs import CONFIGS, batch, build, load

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
HALVES = [torch.bfloat16, torch.float16]


def autocast(dtype):
    return torch.autocast('cpu', dtype)


@pytest.mark.parametrize('dtype', HALVES, ids=str)
@pytest.mark.parametrize('name', TINY)
def test_a_step_and_predictions(name, dtype):
    path = CONFIGS / f'{name}.py'
    torch.manual_seed(0)
    model = build(path, 'mmdet')
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
