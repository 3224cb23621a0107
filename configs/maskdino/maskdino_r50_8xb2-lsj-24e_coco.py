_base_ = [
    '../_base_/models/maskdino_r50.py',
    '../_base_/datasets/coco_instance_lsj.py',
    '../_base_/schedules/maskdino_24e.py',
]
model = _base_.query_model
