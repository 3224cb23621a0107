"""COCO's things and stuff; see coco_parts.py for where they are."""

_base_ = ['mmdet::_base_/datasets/coco_panoptic.py', './coco_parts.py']

data_root = _base_.coco_root
things_and_stuff = dict(num_things_classes=80, num_stuff_classes=53)
query_model = dict(
    panoptic_head=things_and_stuff, panoptic_fusion_head=things_and_stuff
)
# mmdet's own head wants a weight for every class and for none.
class_weight = [1.0] * sum(things_and_stuff.values()) + [0.1]
mmdet_head = dict(things_and_stuff, loss_cls=dict(class_weight=class_weight))

train_dataloader = _base_.panoptic_loader
val_dataloader = _base_.panoptic_val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.panoptic_quality
test_evaluator = val_evaluator
