_base_ = [
    '../_base_/models/maskdino_semantic.py',
    '../_base_/datasets/ade20k_semantic.py',
    '../_base_/schedules/maskdino_160k_mmdet.py',
    '../_base_/schedules/maskdino_swin.py',
]
model = dict(
    _base_.query_model,
    backbone=_base_.swin_l_backbone,
    panoptic_head=dict(_base_.classes, **_base_.maskdino_semantic_large),
)
optim_wrapper = _base_.swin_optim_wrapper
custom_hooks = [dict(type='EMAHook')]
