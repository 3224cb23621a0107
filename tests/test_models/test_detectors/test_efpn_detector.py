"""Stages of EFPN: what is compared, what trains, what stays."""

import pytest
import torch
from torch.nn import functional as F

from tests.tiny_efpn import SIZE, batch, build, total

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
