_base_ = [
    '../_base_/models/maskdino.py',
    '../_base_/datasets/coco_instance_lsj.py',
    '../_base_/schedules/maskdino.py',
]
train_cfg = _base_.train_12e
param_scheduler = _base_.steps_12e
