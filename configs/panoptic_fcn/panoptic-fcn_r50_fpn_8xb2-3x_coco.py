_base_ = [
    '../_base_/models/panoptic_fcn.py',
    '../_base_/datasets/coco_panoptic_short-side.py',
    '../_base_/schedules/panoptic_fcn.py',
]
train_cfg = _base_.train_3x
param_scheduler = _base_.poly_3x
