_base_ = [
    '../_base_/models/mask2former_street.py',
    '../_base_/datasets/mapillary.py',
]
model = _base_.mask2former_mapillary
train_dataloader = dict(_base_.crops_color, _delete_=True)
val_dataloader = dict(_base_.val, _delete_=True)
test_dataloader = val_dataloader
val_evaluator = _base_.panoptic_quality
test_evaluator = val_evaluator
train_cfg = dict(max_iters=300000)
param_scheduler = dict(end=300001)
