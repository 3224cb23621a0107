_base_ = [
    '../_base_/models/maskdino_mobilenetv2.py',
    '../_base_/datasets/coco_instance_small.py',
    '../_base_/schedules/schedule_short.py',
]
model = _base_.query_model
