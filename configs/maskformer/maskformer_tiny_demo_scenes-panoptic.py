_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = dict(num_things_classes=6, num_stuff_classes=3)
model = dict(_base_.tiny_maskformer, panoptic_fusion_head=classes)
model['panoptic_head'].update(classes)
model['test_cfg'] = dict(instance_on=True)
val_evaluator = _base_.panoptic_and_instance_evaluator
test_evaluator = val_evaluator
