_base_ = [
    '../_base_/models/maskdino_mobilenetv2.py',
    '../_base_/datasets/coco_instance_small.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_things_classes=80, num_stuff_classes=0)
model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
