_base_ = [
    '../_base_/models/mask-rcnn_mobilenetv2_fpn.py',
    '../_base_/datasets/coco_instance_small.py',
    '../_base_/schedules/schedule_short.py',
]
