_base_ = [
    '../_base_/models/mask-rcnn_tiny_fpn.py',
    '../_base_/datasets/coco_instance_small.py',
    '../_base_/schedules/schedule_short.py',
]
model = _base_.mask_rcnn_mobilenetv2
