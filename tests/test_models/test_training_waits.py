"""How often a training step waits for the device: losses of every head."""

import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmseg_plugin.models import losses
from mmseg_plugin.models.losses import RoIMaskLoss
from mmseg_plugin.registry import MODELS
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
    def step(device):
        batch = samples(3, 0, stuff=False)
        for item in batch:
            count = len(item.gt_instances.labels)
            boxes = torch.tensor([[4.0, 8, 40, 60]]).repeat(count, 1)
            item.gt_instances.bboxes = boxes
        batch = [item.to(device) for item in batch]
        x = [level.to(device) for level in backbone_maps()]
        return lambda: head.loss(x, batch)

    head = without_masks()
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
# Model, and its copies to the host in one step.
CASES = [
    (mask2former, QUERY_MODEL),
    (mask2former_without_stuff, {'assigner': 1}),
    (mask2former_with_ibs, QUERY_MODEL),
    (mask2former_with_ibs_on_all_pixels, QUERY_MODEL),
    (mask2former_with_shared_points, QUERY_MODEL),
    (maskformer, QUERY_MODEL),
    (maskformer_with_point_losses, QUERY_MODEL),
    (mask_dino, QUERY_MODEL),
    (mask_dino_with_ibs, QUERY_MODEL),
    (mask_dino_with_inclusive_boxes, QUERY_MODEL),
    (mask_dino_with_crowd, QUERY_MODEL),
    (mask_dino_of_things, QUERY_MODEL),
    (detector_without_masks, {'assigner': 1}),
    (maskformer_segmentor, QUERY_MODEL),
    (mask_dino_segmentor, QUERY_MODEL),
    (per_pixel_baseline, {}),
    (per_pixel_baseline_plus, {}),
    (panoptic_fcn, {'targets': 1}),
    (panoptic_fcn_with_box_centers, {'targets': 1}),
    (panoptic_fcn_with_ibs, {'targets': 1}),
    # Of the boxes, then of the masks.
    (efpn, {"RoIs of P2'": 2}),
    (mask_losses_of_rois, {}),
]


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
    mask_losses_of_rois,
}


@pytest.mark.parametrize(('build', 'copies'), CASES)
def test_a_step_waits_for_counted_copies_only(build, copies):
    torch.manual_seed(0)
    _, step = build()
    losses_of_step = step(torch.device('cpu'))
    host_copies.clear()
    with Waits() as waits:
        total(losses_of_step()).backward()
    seen = waits.of_package() if build in WITH_OTHERS else waits.seen
    assert seen == []
    assert host_copies == copies
