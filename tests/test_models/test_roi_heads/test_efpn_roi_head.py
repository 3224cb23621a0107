"""Heads of P2' and heads of the other levels."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict

from mmseg_plugin.models.roi_heads import EFPNCascadeRoIHead, EFPNRoIHead

STRIDES = [2, 4, 8, 16, 32]
ROIS = torch.tensor(
    [[0, 8, 8, 28, 28], [0, 0, 0, 120, 120], [0, 40, 40, 50, 60]]
).float()


def extractor(size):
    return {
        'type': 'mmseg_plugin.EFPNRoIExtractor',
        'roi_layer': {'type': 'RoIAlign', 'output_size': size},
        'out_channels': 4,
        'featmap_strides': STRIDES,
    }


def config():
    return ConfigDict(
        bbox_roi_extractor=extractor(7),
        bbox_head={
            'type': 'mmdet.Shared2FCBBoxHead',
            'in_channels': 4,
            'fc_out_channels': 8,
            'num_classes': 2,
        },
        mask_roi_extractor=extractor(14),
        mask_head={
            'type': 'mmdet.FCNMaskHead',
            'num_convs': 1,
            'in_channels': 4,
            'conv_out_channels': 4,
            'num_classes': 2,
        },
    )


def standard():
    torch.manual_seed(0)
    return EFPNRoIHead(**config())


def cascade():
    torch.manual_seed(0)
    return EFPNCascadeRoIHead(
        num_stages=2, stage_loss_weights=[1, 0.5], **config()
    )


def maps():
    torch.manual_seed(1)
    return tuple(torch.randn(1, 4, 128 // s, 128 // s) for s in STRIDES)


def outputs(head, rois, stage=None):
    """Scores, boxes and masks of each RoI."""
    at = () if stage is None else (stage,)
    boxes = head._bbox_forward(*at, maps(), rois)
    masks = head._mask_forward(*at, maps(), rois)
    return boxes['cls_score'], boxes['bbox_pred'], masks['mask_preds']


def halve(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.5)


@pytest.mark.parametrize(
    ('build', 'stage'), [(standard, None), (cascade, 0), (cascade, 1)]
)
def test_each_head_answers_for_its_rois(build, stage):
    head = build().train()
    before = outputs(head, ROIS, stage)
    for part in head.extended_heads:
        halve(part)
    after = outputs(head, ROIS, stage)
    for old, new in zip(before, after, strict=True):
        changed = (old != new).flatten(1).any(1)
        assert changed.tolist() == [True, False, True]


def test_extended_heads_are_the_only_ones_of_small_rois():
    head = standard().train()
    for part in (head.bbox_head, head.mask_head):
        halve(part)
    halved = outputs(head, ROIS)
    for old, new in zip(
        outputs(standard().train(), ROIS), halved, strict=True
    ):
        changed = (old != new).flatten(1).any(1)
        assert changed.tolist() == [False, True, False]


@pytest.mark.parametrize('rows', [[0, 2], [1], []])
def test_every_head_gets_gradients_whatever_the_rois(rows):
    head = standard().train()
    sum(output.sum() for output in outputs(head, ROIS[rows])).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name


@pytest.mark.parametrize('build', [standard, cascade])
def test_checkpoint_without_extended_heads_fills_them(build):
    head = build()
    state = {
        key: torch.rand_like(value)
        for key, value in head.state_dict().items()
        if not key.startswith('extended_')
    }
    kept = copy.copy(state)
    head.load_state_dict(state)
    assert state.keys() == kept.keys()
    for name, value in head.state_dict().items():
        assert torch.equal(value, state[name.removeprefix('extended_')])
    # Copies: training one head leaves the other.
    halve(head.extended_bbox_head)
    after = head.state_dict()
    name = next(k for k in state if k.startswith('bbox_head'))
    assert torch.equal(after[name], state[name])


def test_checkpoint_with_extended_heads_is_taken_as_it_is():
    head, other = standard(), standard()
    halve(other.extended_bbox_head)
    head.load_state_dict(other.state_dict())
    for name, value in head.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_broken_checkpoint_is_still_seen():
    state = standard().state_dict()
    del state['extended_bbox_head.fc_cls.bias']
    with pytest.raises(RuntimeError, match='extended_bbox_head.fc_cls.bias'):
        standard().load_state_dict(state)


def test_shared_extractor_is_refused():
    with pytest.raises(ValueError, match='mask_roi_extractor is None'):
        EFPNRoIHead(**{**config(), 'mask_roi_extractor': None})
