_base_ = [
    '../_base_/models/maskdino.py',
    '../_base_/datasets/coco_instance_lsj.py',
    '../_base_/schedules/maskdino.py',
]
model = _base_.maskdino_hid1024
