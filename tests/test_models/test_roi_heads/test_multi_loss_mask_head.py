import copy

import numpy as np
import pytest
import torch
from mmdet.models.roi_heads import CascadeRoIHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmdet.testing import demo_mm_proposals
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import nn

from mmseg_plugin.models.roi_heads.multi_loss_mask_head import select_class
from mmseg_plugin.registry import MODELS

BCE = {'type': 'mmseg_plugin.LabelSmoothingBCELoss', 'smoothing': 0.0}
DICE = {'type': 'mmseg_plugin.SoftDiceLoss', 'loss_weight': 2.0}
SMALL = {'num_convs': 1, 'in_channels': 4, 'conv_out_channels': 4}
TRAIN_CFG = ConfigDict(mask_size=28)


def build(**kwargs):
    cfg = {'type': 'mmseg_plugin.MultiLossMaskHead', **SMALL, **kwargs}
    return MODELS.build(copy.deepcopy(cfg))


class Sampled:
    """What the mask head reads of a sampling result."""

    def __init__(self, boxes, labels):
        self.pos_priors = torch.tensor(boxes).reshape(-1, 4)
        self.pos_gt_labels = torch.tensor(labels, dtype=torch.long)
        self.pos_assigned_gt_inds = torch.arange(len(labels)) % 2


@pytest.fixture
def gt():
    masks = np.zeros((2, 32, 32), np.uint8)
    masks[0, 4:20, 4:14] = 1
    masks[1, 10:30, 12:31] = 1
    return [InstanceData(masks=BitmapMasks(masks, 32, 32))]


@pytest.fixture
def sampled():
    boxes = [[2.0, 3, 18, 22], [11.0, 8, 32, 31], [0.0, 0, 20, 20]]
    return [Sampled(boxes, [0, 2, 1])]


def losses(head, sampled, gt, train_cfg=TRAIN_CFG):
    feats = torch.randn(
        len(sampled[0].pos_priors),
        4,
        14,
        14,
        generator=torch.Generator().manual_seed(1),
    )
    return head.loss_and_target(head(feats), sampled, gt, train_cfg)


@pytest.mark.parametrize('class_agnostic', [False, True])
@pytest.mark.parametrize('soft', [False, True])
def test_default_equals_the_stock_head(sampled, gt, class_agnostic, soft):
    torch.manual_seed(0)
    options = {'num_classes': 3, 'class_agnostic': class_agnostic}
    with DefaultScope.overwrite_default_scope('mmdet'):
        stock = FCNMaskHead(**SMALL, **options)
    ours = build(**options)
    ours.load_state_dict(stock.state_dict())
    train_cfg = ConfigDict(mask_size=28, soft_mask_target=soft)
    results = []
    for head in (stock, ours):
        got = losses(head, sampled, gt, train_cfg)
        got['loss_mask']['loss_mask'].sum().backward()
        results.append((got, [p.grad for p in head.parameters()]))
    (want, want_grads), (got, grads) = results
    assert got['loss_mask'].keys() == want['loss_mask'].keys()
    torch.testing.assert_close(got['mask_targets'], want['mask_targets'])
    torch.testing.assert_close(
        got['loss_mask']['loss_mask'],
        want['loss_mask']['loss_mask'].squeeze(),
        rtol=0,
        atol=1e-6,
    )
    torch.testing.assert_close(grads, want_grads, rtol=1e-6, atol=1e-6)


def test_selects_the_mask_of_the_class():
    preds = torch.arange(6.0).reshape(2, 3, 1, 1)
    picked = select_class(preds, torch.tensor([2, 0]))
    assert picked.flatten().tolist() == [2, 3]
    picked = select_class(preds[:, :1], torch.tensor([2, 0]))
    assert picked.flatten().tolist() == [0, 3]


@pytest.mark.parametrize(
    ('loss_mask', 'names'),
    [({'bce': BCE, 'dice': DICE}, ('bce', 'dice')), ([BCE, DICE], ('0', '1'))],
)
def test_several_losses_each_with_key_and_weight(
    sampled, gt, loss_mask, names
):
    torch.manual_seed(0)
    head = build(num_classes=3, loss_mask=loss_mask)
    got = losses(head, sampled, gt)['loss_mask']
    assert list(got) == [f'loss_mask_{name}' for name in names]
    for name, cfg in zip(names, (BCE, DICE), strict=True):
        alone = build(num_classes=3, loss_mask=cfg)
        alone.load_state_dict(head.state_dict())
        want = losses(alone, sampled, gt)['loss_mask']['loss_mask']
        torch.testing.assert_close(got[f'loss_mask_{name}'], want)


@pytest.mark.parametrize('loss_mask', [BCE, {'bce': BCE, 'dice': DICE}])
def test_no_positive_roi_keeps_keys_and_graph(sampled, gt, loss_mask):
    head = build(num_classes=1, loss_mask=loss_mask)
    sampled[0].pos_gt_labels[:] = 0
    keys = losses(head, sampled, gt)['loss_mask'].keys()
    got = losses(head, [Sampled([], [])], gt)['loss_mask']
    assert got.keys() == keys
    assert all(value == 0 for value in got.values())
    sum(got.values()).backward()
    assert all(p.grad is not None for p in head.parameters())


@pytest.mark.parametrize('loss', ['mmdet.DiceLoss', 'mmdet.FocalLoss'])
@pytest.mark.parametrize('class_agnostic', [False, True])
def test_losses_of_mmdet_fit(sampled, gt, loss, class_agnostic):
    head = build(
        num_classes=3, class_agnostic=class_agnostic, loss_mask={'type': loss}
    )
    got = losses(head, sampled, gt)['loss_mask']['loss_mask']
    assert got > 0.01


def test_stock_loss_that_slices_itself_is_refused():
    loss = {'type': 'mmdet.CrossEntropyLoss', 'use_mask': True}
    with pytest.raises(TypeError, match='CrossEntropyLoss takes .*cls_score'):
        build(num_classes=3, loss_mask=loss)


class LabelLoss(nn.Module):
    def forward(self, pred, target, labels):
        return (pred.sum(dim=(1, 2)) * 0 + labels).sum()


def test_labels_go_to_a_loss_that_asks_for_them(sampled, gt):
    head = build(num_classes=3, loss_mask={'type': LabelLoss})
    assert losses(head, sampled, gt)['loss_mask']['loss_mask'] == 3


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])
def test_default_loss_is_the_same_in_every_scope(scope):
    with DefaultScope.overwrite_default_scope(scope):
        (loss,) = build(num_classes=2).loss_mask
    assert type(loss).__module__.startswith('mmseg_plugin.')
    assert loss.smoothing == 0


def test_in_every_stage_of_a_cascade(gt):
    """Keys get mmdet's prefix of the stage."""
    extractor = {
        'type': 'mmdet.SingleRoIExtractor',
        'out_channels': 4,
        'featmap_strides': [4],
    }
    align = {'type': 'RoIAlign', 'sampling_ratio': 0}
    box_head = {
        'type': 'mmdet.Shared2FCBBoxHead',
        'in_channels': 4,
        'fc_out_channels': 8,
        'num_classes': 3,
        'bbox_coder': {'type': 'mmdet.DeltaXYWHBBoxCoder'},
        'loss_cls': {'type': 'mmdet.CrossEntropyLoss'},
        'loss_bbox': {'type': 'mmdet.SmoothL1Loss'},
    }
    mask_head = {
        'type': 'mmseg_plugin.MultiLossMaskHead',
        'num_classes': 3,
        'loss_mask': {'bce': BCE, 'dice': DICE},
        **SMALL,
    }
    stage = {
        'assigner': {
            'type': 'mmdet.MaxIoUAssigner',
            'pos_iou_thr': 0.5,
            'neg_iou_thr': 0.5,
        },
        'sampler': {
            'type': 'mmdet.RandomSampler',
            'num': 16,
            'pos_fraction': 0.5,
        },
        'mask_size': 28,
        'pos_weight': -1,
    }
    with DefaultScope.overwrite_default_scope('mmdet'):
        head = CascadeRoIHead(
            num_stages=2,
            stage_loss_weights=[1, 0.5],
            bbox_roi_extractor={
                **extractor,
                'roi_layer': {**align, 'output_size': 7},
            },
            bbox_head=[box_head, box_head],
            mask_roi_extractor={
                **extractor,
                'roi_layer': {**align, 'output_size': 14},
            },
            mask_head=mask_head,
            train_cfg=[ConfigDict(stage), ConfigDict(stage)],
        )
    gt[0].bboxes = torch.tensor([[4.0, 4, 14, 20], [12.0, 10, 31, 30]])
    gt[0].labels = torch.tensor([0, 2])
    data_sample = DetDataSample(metainfo={'img_shape': (32, 32)})
    data_sample.gt_instances = gt[0]
    got = head.loss(
        (torch.randn(1, 4, 8, 8),),
        demo_mm_proposals([(3, 32, 32)], 8),
        [data_sample],
    )
    for stage_name in ('s0', 's1'):
        for name in ('bce', 'dice'):
            assert got[f'{stage_name}.loss_mask_{name}'].isfinite()
