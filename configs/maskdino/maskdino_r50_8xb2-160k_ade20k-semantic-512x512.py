_base_ = [
    '../_base_/models/maskdino_semantic.py',
    '../_base_/datasets/semantic.py',
    '../_base_/schedules/maskdino.py',
]
train_cfg = _base_.train_160k
param_scheduler = _base_.steps_160k
