"""How often a training step waits for the device: losses of every head."""

import sys

import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmseg_plugin.models import decode_heads, dense_heads, losses, roi_heads
from mmseg_plugin.models.losses import RoIMaskLoss
from mmseg_plugin.registry import MODELS
from mmseg_plugin.utils import host
from mmseg_plugin.utils.host import host_copies
from tests import tiny_efpn, tiny_panoptic_fcn
from tests.tiny_efpn import total
from tests.tiny_heads import (
    CHANNELS,
    DIMS,
    backbone_maps,
    maskformer_losses,
    point_losses,
    samples,
    tiny_mask2former,
    tiny_maskformer,
)
from tests.tiny_mask_dino import tiny_mask_dino, without_masks
from tests.tiny_segmentors import (
    NUM_CLASSES,
    images,
    mask_dino_config,
    maskformer_config,
    query_decode_head,
    run,
    segmentor,
    semantic_samples,
)
from tests.waits import Waits

IBS = {'type': 'mmseg_plugin.IntraBatchLoss', 'num_points': 32}
ROI_LOSSES = [
    name
    for name in losses.__all__
    if isinstance(kind := getattr(losses, name), type)
    and issubclass(kind, RoIMaskLoss)
    and kind is not RoIMaskLoss
]


def head_step(head, **options):
    """Two images, one of them without things."""

    def step(device):
        head.to(device)
        x = [level.to(device) for level in backbone_maps()]
        batch = [item.to(device) for item in samples(3, 0, **options)]
        return lambda: head.loss(x, batch)

    return head, step


def mask2former(**changes):
    return head_step(tiny_mask2former(**point_losses(), **changes))


def mask2former_without_stuff():
    head = tiny_mask2former(**point_losses(), num_stuff_classes=0)
    return head_step(head, stuff=False)


def mask2former_with_ibs():
    return mask2former(loss_ibs=IBS)


def mask2former_with_ibs_on_all_pixels():
    return mask2former(loss_ibs=IBS | {'num_points': None, 'first_layer': 0})


def mask2former_with_shared_points():
    parts = point_losses()
    parts['loss_mask']['shared_points'] = True
    return head_step(tiny_mask2former(**parts))


def maskformer():
    return head_step(tiny_maskformer(**maskformer_losses(), padding_mask=True))


def maskformer_with_point_losses():
    return head_step(tiny_maskformer(**point_losses()))


def mask_dino():
    return head_step(tiny_mask_dino())


def mask_dino_with_ibs():
    head = tiny_mask_dino(loss_ibs=IBS, initialize_box_type='bitmask')
    return head_step(head)


def mask_dino_with_inclusive_boxes():
    return head_step(tiny_mask_dino(initialize_box_type='mask2box'))


def mask_dino_with_crowd():
    return head_step(tiny_mask_dino(denoising={'num_queries': 2}))


def mask_dino_of_things():
    loss_bbox = {'type': 'mmseg_plugin.QueryBoxLoss', 'num_things': 3}
    return head_step(tiny_mask_dino(loss_bbox=loss_bbox))


def detector_without_masks():
    head = without_masks()

    def step(device):
        head.to(device)
        batch = samples(3, 0, stuff=False)
        for item in batch:
            count = len(item.gt_instances.labels)
            boxes = torch.tensor([[4.0, 8, 40, 60]]).repeat(count, 1)
            item.gt_instances.bboxes = boxes
        batch = [item.to(device) for item in batch]
        x = [level.to(device) for level in backbone_maps()]
        return lambda: head.loss(x, batch)

    return head, step


def segmentor_step(decode_head):
    model = segmentor(decode_head).train()

    def step(device):
        labels = torch.randint(NUM_CLASSES, (2, 64, 96))
        labels[1] = 255
        batch = [item.to(device) for item in semantic_samples(*labels)]
        inputs = [image.to(device) for image in images(*[(64, 96)] * 2)]
        return lambda: run(model, inputs, batch, training=True)

    return model, step


def maskformer_segmentor():
    return segmentor_step(query_decode_head(maskformer_config()))


def mask_dino_segmentor():
    return segmentor_step(query_decode_head(mask_dino_config()))


def per_pixel_baseline():
    return segmentor_step(
        {
            'type': 'mmseg_plugin.PerPixelBaselineHead',
            'in_channels': CHANNELS,
            'pixel_decoder': {'type': 'mmdet.PixelDecoder'},
            'feat_channels': DIMS,
            'out_channels': DIMS,
            'num_classes': NUM_CLASSES,
        }
    )


def per_pixel_baseline_plus():
    untrained = {'loss_cls': None, 'loss_mask': None, 'train_cfg': None}
    return segmentor_step(
        {
            'type': 'mmseg_plugin.PerPixelBaselinePlusHead',
            'head': maskformer_config(**untrained),
            'num_classes': NUM_CLASSES,
        }
    )


def panoptic_fcn(**changes):
    model = tiny_panoptic_fcn.build(**changes).train()

    def step(device):
        batch = [tiny_panoptic_fcn.sample(), tiny_panoptic_fcn.sample(())]
        batch = [item.to(device) for item in batch]
        return lambda: tiny_panoptic_fcn.losses(model, batch)

    return model, step


def panoptic_fcn_with_box_centers():
    return panoptic_fcn(targets={'center': 'box'})


def panoptic_fcn_with_ibs():
    return panoptic_fcn(loss_ibs=IBS | {'num_points': None, 'first_layer': 0})


def efpn(**changes):
    model = tiny_efpn.build(**changes)

    def step(device):
        inputs, batch = tiny_efpn.batch()
        return lambda: model.loss(inputs.to(device), batch)

    return model, step


def cascade_of_efpn():
    """The heads alone, on RoIs of both kinds."""
    extractor = {
        'type': 'mmseg_plugin.EFPNRoIExtractor',
        'roi_layer': {'type': 'RoIAlign', 'output_size': 7},
        'out_channels': 4,
        'featmap_strides': [2, 4, 8],
    }
    small = {'in_channels': 4, 'num_classes': 2}
    mask = {'num_convs': 1, 'conv_out_channels': 4}
    config = ConfigDict(
        type='mmseg_plugin.EFPNCascadeRoIHead',
        num_stages=2,
        stage_loss_weights=[1, 0.5],
        bbox_roi_extractor=extractor,
        bbox_head={
            'type': 'mmdet.Shared2FCBBoxHead',
            'fc_out_channels': 8,
            **small,
        },
        mask_roi_extractor=extractor,
        mask_head={'type': 'mmdet.FCNMaskHead', **mask, **small},
    )
    head = MODELS.build(config)

    def step(device):
        sides = [torch.randn(1, 4, 64 // s, 64 // s) for s in (2, 4, 8)]
        x = tuple(level.to(device) for level in sides)
        rois = torch.tensor([[0.0, 8, 8, 28, 28], [0, 0, 0, 62, 62]])
        rois = rois.to(device)

        def run_stages():
            losses_by_name = {}
            for stage in range(2):
                boxes = head._bbox_forward(stage, x, rois)
                masks = head._mask_forward(stage, x, rois)
                for name, values in (boxes | masks).items():
                    losses_by_name[f'loss_{stage}_{name}'] = values.sum()
            return losses_by_name

        return run_stages

    return head, step


def mask_losses_of_rois():
    config = {
        'type': 'mmseg_plugin.MultiLossMaskHead',
        'num_convs': 1,
        'in_channels': 4,
        'conv_out_channels': 4,
        'num_classes': 3,
        'loss_mask': {
            name: {'type': f'mmseg_plugin.{name}'} for name in ROI_LOSSES
        },
    }
    head = MODELS.build(config)
    train_cfg = ConfigDict(mask_size=28)

    def step(device):
        feats = torch.randn(2, 4, 14, 14, device=device)
        boxes = torch.tensor([[2.0, 3, 18, 22], [11.0, 8, 32, 31]])
        sampled = InstanceData(
            pos_priors=boxes.to(device),
            pos_gt_labels=torch.tensor([0, 2], device=device),
            pos_assigned_gt_inds=torch.tensor([0, 1], device=device),
        )
        masks = torch.zeros(2, 32, 32, dtype=torch.uint8).numpy()
        masks[:, 4:20, 4:14] = 1
        truth = InstanceData(masks=BitmapMasks(masks, 32, 32))
        return lambda: head.loss_and_target(
            head(feats), [sampled], [truth], train_cfg
        )['loss_mask']

    return head, step


QUERY_MODEL = {'stuff': 1, 'assigner': 1}
# Copies to the host in one step.
COPIES = {
    mask2former: QUERY_MODEL,
    mask2former_without_stuff: {'assigner': 1},
    mask2former_with_ibs: QUERY_MODEL,
    mask2former_with_ibs_on_all_pixels: QUERY_MODEL,
    mask2former_with_shared_points: QUERY_MODEL,
    maskformer: QUERY_MODEL,
    maskformer_with_point_losses: QUERY_MODEL,
    mask_dino: QUERY_MODEL,
    mask_dino_with_ibs: QUERY_MODEL,
    mask_dino_with_inclusive_boxes: QUERY_MODEL,
    mask_dino_with_crowd: QUERY_MODEL,
    mask_dino_of_things: QUERY_MODEL,
    detector_without_masks: {'assigner': 1},
    maskformer_segmentor: QUERY_MODEL,
    mask_dino_segmentor: QUERY_MODEL,
    per_pixel_baseline: {},
    per_pixel_baseline_plus: {},
    panoptic_fcn: {'targets': 1},
    panoptic_fcn_with_box_centers: {'targets': 1},
    panoptic_fcn_with_ibs: {'targets': 1},
    # Of the boxes, then of the masks.
    efpn: {"RoIs of P2'": 2},
    # Of the boxes of each stage, then of the masks of each stage.
    cascade_of_efpn: {"RoIs of P2'": 4},
    mask_losses_of_rois: {},
}
# Detectors and segmentors have parts of libraries which wait.
WITH_OTHERS = {
    maskformer_segmentor,
    mask_dino_segmentor,
    per_pixel_baseline,
    per_pixel_baseline_plus,
    panoptic_fcn,
    panoptic_fcn_with_box_centers,
    panoptic_fcn_with_ibs,
    efpn,
    cascade_of_efpn,
    mask_losses_of_rois,
}


@pytest.mark.parametrize('build', COPIES)
def test_a_step_waits_for_counted_copies_only(build):
    torch.manual_seed(0)
    _, step = build()
    losses_of_step = step(torch.device('cpu'))
    host_copies.clear()
    with Waits() as waits:
        total(losses_of_step()).backward()
    seen = waits.of_package() if build in WITH_OTHERS else waits.seen
    assert seen == []
    assert host_copies == COPIES[build]


def test_everything_that_trains_is_among_them():
    parts = {part for build in COPIES for part in build()[0].modules()}
    seen = {type(part).__name__ for part in parts}
    no_losses = {'RoIMaskLoss', 'SegmentorPixelDecoder'}
    for package in (dense_heads, decode_heads, losses, roi_heads):
        trained = {
            name
            for name in package.__all__
            if isinstance(getattr(package, name), type)
        }
        assert trained - no_losses <= seen


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(
    'build', [build for build in COPIES if build not in WITH_OTHERS]
)
def test_nothing_else_waits_on_a_gpu(build, monkeypatch):
    _, step = build()
    losses_of_step = step(torch.device('cuda'))
    copy = host.to_host

    def allowed(tensor, reason):
        torch.cuda.set_sync_debug_mode('default')
        copied = copy(tensor, reason)
        torch.cuda.set_sync_debug_mode('error')
        return copied

    for name, module in list(sys.modules.items()):
        if name.startswith('mmseg_plugin') and hasattr(module, 'to_host'):
            monkeypatch.setattr(module, 'to_host', allowed)
    torch.cuda.set_sync_debug_mode('error')
    try:
        total(losses_of_step()).backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')
