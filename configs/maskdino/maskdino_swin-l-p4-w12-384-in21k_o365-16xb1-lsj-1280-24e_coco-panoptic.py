"""From a detector pre-trained on Objects365: --cfg-options load_from=..."""

_base_ = [
    '../_base_/models/maskdino.py',
    '../_base_/datasets/coco_panoptic_lsj.py',
    '../_base_/schedules/maskdino.py',
]
model = _base_.maskdino_swin_l_panoptic
optim_wrapper = _base_.swin_l_optimizer
train_dataloader = _base_.lsj_1280
train_cfg = _base_.train_24e
param_scheduler = _base_.steps_24e
custom_hooks = [dict(type='EMAHook')]
