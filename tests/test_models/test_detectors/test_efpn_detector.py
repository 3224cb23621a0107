"""Stages of EFPN: what is compared, what trains, what stays."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData
from torch.nn import functional as F

CONFIG = (
    Path(__file__).parents[3]
    / 'configs/efpn/mask-rcnn_tiny_efpn_joint_nuclei.py'
)
SIZE = 64


def build(stage='joint', **options):
    changes = {'stage': stage, 'neck.hidden_channels': 8, **options}
    config = Config.fromfile(CONFIG)
    config.merge_from_dict({f'model.{k}': v for k, v in changes.items()})
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(config.model).train()


def batch(size=SIZE):
    torch.manual_seed(1)
    masks = torch.zeros(1, size, size, dtype=torch.uint8)
    masks[0, 8:20, 8:24] = 1
    sample = DetDataSample(
        gt_instances=InstanceData(
            bboxes=torch.tensor([[8.0, 8, 24, 20]]),
            labels=torch.zeros(1, dtype=torch.long),
            masks=BitmapMasks(masks.numpy(), size, size),
        ),
        ignored_instances=InstanceData(bboxes=torch.zeros(0, 4)),
    )
    sample.set_metainfo(
        {
            'img_shape': (size, size),
            'ori_shape': (size, size),
            'batch_input_shape': (size, size),
            'pad_shape': (size, size),
            'scale_factor': (1.0, 1.0),
        }
    )
    return torch.randn(1, 3, size, size), [sample]


def total(losses):
    """Sum of all losses, as the runner takes it."""
    return sum(
        sum(value) if isinstance(value, list) else value
        for key, value in losses.items()
        if 'loss' in key
    )


EXTENSION_LOSSES = {
    f'{level}.loss_{term}'
    for level in ('p2', 'p3')
    for term in ('global', 'positive')
}


@pytest.mark.parametrize(
    ('stage', 'trained'),
    [
        ('extension', ('neck.extension.',)),
        (
            'head',
            ('roi_head.extended_bbox_head.', 'roi_head.extended_mask_head.'),
        ),
    ],
)
def test_a_step_changes_what_the_stage_trains_only(stage, trained):
    model = build(stage)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    total(model.loss(*batch())).backward()
    torch.optim.SGD(model.parameters(), lr=1).step()
    changed = {
        key
        for key, value in model.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert all(key.startswith(trained) for key in changed)
    for part in trained:
        assert any(key.startswith(part) for key in changed)


@pytest.mark.parametrize(
    ('stage', 'compares', 'detects'),
    [
        ('extension', True, False),
        ('head', False, True),
        ('joint', True, True),
    ],
)
def test_losses_of_the_stage(stage, compares, detects):
    losses = build(stage).loss(*batch()).keys()
    assert (losses >= EXTENSION_LOSSES) == compares
    assert ('loss_mask' in losses) == detects
    assert detects or losses == EXTENSION_LOSSES


def recorded(model):
    """What the extension's loss is called with."""
    calls = []
    model.loss_extension.register_forward_hook(
        lambda _, args, __: calls.append(args)
    )
    return calls


def test_student_and_teacher():
    model = build()
    model.eval()
    calls = recorded(model)
    images, samples = batch()
    model.extension_loss(images, samples)
    (p3, p3_target, boxes, p3_stride), (p2, p2_target, _, p2_stride) = calls
    assert (p3_stride, p2_stride) == (8, 4)
    assert boxes[0].tolist() == [[8, 8, 24, 20]]
    assert p3.shape[-2:] == (SIZE // 8, SIZE // 8)
    assert p2.shape[-2:] == (SIZE // 4, SIZE // 4)

    # The teacher's P2 is that of the detector on the image as loaded.
    torch.testing.assert_close(p2_target, model.extract_feat(images)[1])
    student = model.extract_feat(F.avg_pool2d(images, 2))
    torch.testing.assert_close(p2, student[0])
    assert p3_target.shape == p3.shape


def test_teacher_gets_no_gradient():
    model = build()
    calls = recorded(model)
    model.extension_loss(*batch())
    for pred, target, *_ in calls:
        assert pred.requires_grad
        assert not target.requires_grad


def test_comparison_leaves_running_statistics_alone():
    model = build()
    before = {k: v.clone() for k, v in model.named_buffers()}
    model.extension_loss(*batch())
    for name, value in model.named_buffers():
        assert torch.equal(value, before[name]), name
    assert model.backbone.bn1.training


@pytest.mark.parametrize('stage', ['extension', 'head'])
def test_frozen_norms_stay_in_evaluation(stage):
    model = build(stage).train()
    assert not model.backbone.bn1.training
    assert model.training
    assert model.roi_head.bbox_roi_extractor.training
    assert not model.eval().roi_head.bbox_roi_extractor.training


@pytest.mark.parametrize(
    ('strides', 'sizes'),
    [
        ([4, 8, 16, 32, 64], [16, 8, 4, 2, 1]),
        ([2, 4, 8, 16, 32, 64], [32, 16, 8, 4, 2, 1]),
    ],
)
def test_rpn_gets_a_level_for_each_stride(strides, sizes):
    model = build(**{'rpn_head.anchor_generator.strides': strides})
    seen = []
    model.rpn_head.register_forward_hook(
        lambda _, args, __: seen.append([x.size(-1) for x in args[0]])
    )
    images, samples = batch()
    total(model.loss(images, samples)).backward()
    model.eval().predict(images, samples)
    assert seen == [sizes, sizes]


def test_checkpoint_of_the_detector_lacks_the_extension_only():
    model = build()
    state = {
        key: value
        for key, value in model.state_dict().items()
        if not key.startswith(('neck.extension.', 'roi_head.extended_'))
    }
    other = build()
    missing, unexpected = other.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(key.startswith('neck.extension.') for key in missing)


def test_odd_images_are_refused():
    images, samples = batch()
    with pytest.raises(ValueError, match='multiple of 8'):
        build().extension_loss(images[..., :60], samples)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="stage is 'all'"):
        build('all')
    with pytest.raises(ValueError, match='the neck has no extension'):
        build(**{'neck.variant': None})
