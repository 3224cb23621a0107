"""COCO's boxes; see coco_parts.py for where they are."""

_base_ = ['mmdet::_base_/datasets/coco_detection.py', './coco_parts.py']

data_root = _base_.coco_root

train_dataloader = _base_.coco_loader
val_dataloader = _base_.coco_loader
test_dataloader = val_dataloader
val_evaluator = _base_.instance_quality
test_evaluator = val_evaluator
