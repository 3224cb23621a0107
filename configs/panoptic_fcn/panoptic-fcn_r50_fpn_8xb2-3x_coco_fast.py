_base_ = [
    '../_base_/models/panoptic_fcn.py',
    '../_base_/datasets/coco_panoptic_short-side.py',
    '../_base_/schedules/panoptic_fcn.py',
]
model = dict(test_cfg=dict(center_thr=0.2, region_thr=0.1))
train_cfg = _base_.train_3x
param_scheduler = _base_.poly_3x
