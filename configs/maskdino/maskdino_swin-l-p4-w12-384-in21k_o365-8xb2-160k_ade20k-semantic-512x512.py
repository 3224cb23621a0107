_base_ = [
    '../_base_/models/maskdino_semantic.py',
    '../_base_/datasets/semantic.py',
    '../_base_/schedules/maskdino_160k_mmdet.py',
    '../_base_/schedules/maskdino_swin.py',
]
model = dict(_base_.swin_l_model, panoptic_fusion_head=_base_.classes)
model['panoptic_head'].update(_base_.classes)
optim_wrapper = _base_.swin_optim_wrapper
custom_hooks = [dict(type='EMAHook')]
