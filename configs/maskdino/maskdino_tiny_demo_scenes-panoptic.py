_base_ = [
    '../_base_/models/maskdino_tiny.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = dict(num_things_classes=6, num_stuff_classes=3)
model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
model['test_cfg'] = _base_.panoptic_test_cfg
val_evaluator = _base_.panoptic_and_instance_evaluator
test_evaluator = val_evaluator
