"""Boxes alone, to start from: 26 epochs of 64 images a step, as for DINO."""

_base_ = [
    '../_base_/models/maskdino_swin-l.py',
    'mmdet::_base_/datasets/objects365v2_detection.py',
    '../_base_/schedules/maskdino_swin_50e.py',
]
classes = dict(num_things_classes=365, num_stuff_classes=0)
model = dict(_base_.maskdino_boxes, panoptic_fusion_head=classes)
model['panoptic_head'] = dict(classes, **model['panoptic_head'])
train_dataloader = dict(batch_size=1)
train_cfg = dict(max_iters=708000, dynamic_intervals=[(705001, 708000)])
param_scheduler = dict(end=708000, milestones=[637200, 672600])
auto_scale_lr = dict(base_batch_size=64)
