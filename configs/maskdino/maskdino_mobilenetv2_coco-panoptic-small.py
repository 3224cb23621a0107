_base_ = [
    '../_base_/models/maskdino_tiny.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_things_classes=80, num_stuff_classes=53)
model = dict(_base_.maskdino_mobilenetv2, panoptic_fusion_head=classes)
model['panoptic_head'].update(classes)
model['test_cfg'] = _base_.panoptic_test_cfg
