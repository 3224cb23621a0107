_base_ = [
    '../_base_/models/panoptic_fcn.py',
    '../_base_/datasets/coco_panoptic_short-side.py',
    '../_base_/schedules/panoptic_fcn.py',
]
model = dict(panoptic_head=dict(num_kernels=3))
train_dataloader = _base_.short_side_512
val_dataloader = _base_.val_400
test_dataloader = val_dataloader
train_cfg = _base_.train_3x
param_scheduler = _base_.poly_3x
