_base_ = [
    '../_base_/models/maskdino.py',
    '../_base_/datasets/coco_instance_lsj.py',
    '../_base_/schedules/maskdino.py',
]
model = _base_.maskdino_hid1024
train_cfg = _base_.train_24e
param_scheduler = _base_.steps_24e
