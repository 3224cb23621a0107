"""COCO's instances; see coco_parts.py for where they are."""

_base_ = ['mmdet::_base_/datasets/coco_instance.py', './coco_parts.py']

data_root = _base_.coco_root
things_and_stuff = dict(num_things_classes=80, num_stuff_classes=0)
query_model = dict(
    panoptic_head=things_and_stuff, panoptic_fusion_head=things_and_stuff
)

train_dataloader = _base_.coco_loader
val_dataloader = _base_.coco_loader
test_dataloader = val_dataloader
val_evaluator = _base_.instance_quality
test_evaluator = val_evaluator
