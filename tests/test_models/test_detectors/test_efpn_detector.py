"""Stages of EFPN: what is compared, what trains, what stays."""

import pytest
import torch
from torch.nn import functional as F

from mmseg_plugin.models.roi_heads import (
    EFPNCascadeRoIHead,
    EFPNRoIExtractor,
    EFPNRoIHead,
)
from tests.tiny_efpn import SIZE, batch, build, build_model, read, total

NECK = {'neck.type': 'mmseg_plugin.EFPN', 'neck.hidden_channels': 8}
SWAP = {'type': 'mmseg_plugin.EFPNDetector', **NECK}

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


def test_checkpointing_changes_no_gradient_of_the_comparison():
    found = []
    for with_cp in (False, True):
        changes = {'backbone.with_cp': with_cp, 'backbone.norm_eval': False}
        model = build(**changes).double()
        inputs, samples = batch()
        total(model.extension_loss(inputs.double(), samples)).backward()
        found.append(
            {
                name: parameter.grad
                for name, parameter in model.named_parameters()
                if parameter.grad is not None
            }
        )
        assert model.backbone.layer1[0].bn1.num_batches_tracked == 0
    assert any(name.startswith('backbone.layer1') for name in found[0])
    torch.testing.assert_close(*found)


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
    with pytest.raises(ValueError, match=r'model\.neck has no extension'):
        build(**{'neck.variant': None})


@pytest.mark.parametrize('stage', ['extension', 'head', 'joint'])
def test_mask_rcnn_with_another_type_and_neck(stage):
    model = build_model(read('fpn', **SWAP, stage=stage))
    assert model.state_dict().keys() == build().state_dict().keys()
    extractor = model.roi_head.mask_roi_extractor
    assert isinstance(extractor, EFPNRoIExtractor)
    assert extractor.featmap_strides == [2, 4, 8, 16, 32]
    assert total(model.loss(*batch())).requires_grad
    assert len(model.eval().predict(*batch())) == 1


def test_faster_rcnn_with_another_type_and_neck():
    config = read('fpn', **SWAP)
    del config.roi_head.mask_head, config.roi_head.mask_roi_extractor
    model = build_model(config)
    assert isinstance(model.roi_head, EFPNRoIHead)
    assert total(model.loss(*batch())).requires_grad


@pytest.mark.parametrize('listed', [False, True])
def test_cascade_rcnn_with_another_type_and_neck(listed):
    config = read('fpn', **SWAP)
    head = config.roi_head
    head.type = 'mmdet.CascadeRoIHead'
    head.num_stages, head.stage_loss_weights = 2, [1, 0.5]
    head.bbox_head = [head.bbox_head] * 2
    if listed:
        head.bbox_roi_extractor = [head.bbox_roi_extractor] * 2
    config.train_cfg.rcnn = [config.train_cfg.rcnn] * 2
    model = build_model(config)
    assert isinstance(model.roi_head, EFPNCascadeRoIHead)
    for extractor in model.roi_head.bbox_roi_extractor:
        assert isinstance(extractor, EFPNRoIExtractor)
    losses = model.loss(*batch())
    assert 's1.loss_bbox' in losses
    total(losses).backward()
    for head in model.roi_head.extended_bbox_head:
        assert head.fc_cls.weight.grad is not None


def test_the_given_config_is_left_as_it_is():
    config = read('fpn', **SWAP)
    build_model(config)
    assert config.backbone.type == 'ResNet'
    assert config.roi_head.bbox_roi_extractor.featmap_strides[0] == 4


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'backbone.type': 'mmdet.ResNetV1d'},
            r"model\.backbone gives no C2'.* not ResNetV1d",
        ),
        (
            {'neck.type': 'mmdet.FPN'},
            r'model\.neck has no extension: .* mmseg_plugin\.EFPN',
        ),
        (
            {'roi_head.type': 'mmdet.DoubleHeadRoIHead'},
            r"model\.roi_head has no heads for P2'.* not DoubleHeadRoIHead",
        ),
        (
            {'roi_head.bbox_roi_extractor.type': 'mmdet.GenericRoIExtractor'},
            r"extractor without P2'.* not GenericRoIExtractor",
        ),
    ],
)
def test_parts_that_cannot_be_extended_are_named(changes, message):
    config = read('fpn', **{**SWAP, **changes})
    if changes.get('neck.type') == 'mmdet.FPN':
        del config.neck.hidden_channels
    if 'roi_head.type' in changes:
        config.roi_head.reg_roi_scale_factor = 1.3
    if 'roi_head.bbox_roi_extractor.type' in changes:
        del config.roi_head.bbox_roi_extractor.finest_scale
    with pytest.raises(ValueError, match=message):
        build_model(config)


def test_neck_without_the_detector_is_named():
    model = build_model(read('fpn', **NECK))
    message = r'got 4 maps, not 5: set model\.type to mmseg_plugin\.EFPNDet'
    with pytest.raises(ValueError, match=message):
        model.loss(*batch())
