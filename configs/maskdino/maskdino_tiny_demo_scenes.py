_base_ = [
    '../_base_/models/maskdino_tiny.py',
    '../_base_/datasets/scenes_instance.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = dict(num_things_classes=_base_.num_classes, num_stuff_classes=0)
model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
