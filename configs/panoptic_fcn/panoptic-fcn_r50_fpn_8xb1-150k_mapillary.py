_base_ = [
    '../_base_/models/panoptic_fcn.py',
    '../_base_/datasets/mapillary.py',
    '../_base_/schedules/panoptic_fcn_150k_full.py',
]
model = _base_.panoptic_fcn_mapillary
train_dataloader = _base_.images
val_dataloader = _base_.val
test_dataloader = val_dataloader
val_evaluator = _base_.panoptic_quality
test_evaluator = val_evaluator
