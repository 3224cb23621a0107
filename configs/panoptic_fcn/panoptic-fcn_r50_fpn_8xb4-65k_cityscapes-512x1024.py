_base_ = [
    '../_base_/models/panoptic_fcn.py',
    '../_base_/datasets/cityscapes_panoptic.py',
    '../_base_/schedules/panoptic_fcn_65k.py',
]
model = _base_.panoptic_fcn_cityscapes
train_dataloader = _base_.crops
val_dataloader = _base_.val
test_dataloader = val_dataloader
val_evaluator = _base_.panoptic_quality
test_evaluator = val_evaluator
