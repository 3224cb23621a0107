"""COCO panoptic, ready to train on: large scale jittering as published."""

_base_ = [
    'mmdet::_base_/datasets/coco_panoptic.py',
    './coco_panoptic_published_lsj.py',
]

num_things_classes = 80
num_stuff_classes = 53

train_dataloader = _base_.published_lsj_train_dataloader
val_dataloader = _base_.panoptic_val_dataloader
test_dataloader = val_dataloader
# PQ, AP of things and mIoU from one run.
val_evaluator = [
    *_base_.panoptic_evaluator,
    dict(type='mmdet.SemSegMetric', iou_metrics=['mIoU']),
]
test_evaluator = val_evaluator
