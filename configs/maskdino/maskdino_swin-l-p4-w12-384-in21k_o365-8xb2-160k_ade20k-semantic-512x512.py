_base_ = [
    '../_base_/models/maskdino_semantic.py',
    '../_base_/datasets/semantic.py',
    '../_base_/schedules/maskdino.py',
]
model = dict(backbone=_base_.swin_l, panoptic_head=_base_.swin_l_semantic_head)
optim_wrapper = _base_.swin_l_optimizer
train_cfg = _base_.train_160k
param_scheduler = _base_.steps_160k
custom_hooks = [dict(type='EMAHook')]
