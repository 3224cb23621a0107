_base_ = [
    '../_base_/models/panoptic_fcn.py',
    '../_base_/datasets/coco_panoptic_short-side.py',
    '../_base_/schedules/panoptic_fcn.py',
]
encoder = dict(channels=256, conv_cfg=_base_.deformed)
model = dict(panoptic_head=dict(feature_encoder=encoder))
train_cfg = _base_.train_3x
param_scheduler = _base_.poly_3x
