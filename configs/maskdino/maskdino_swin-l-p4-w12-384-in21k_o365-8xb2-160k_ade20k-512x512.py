_base_ = [
    '../_base_/models/maskdino_segmentor.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/maskdino_segmentor.py',
]
model = dict(_base_.segmentor_swin_l)
model['data_preprocessor'] = dict(size=_base_.crop_size)
model['decode_head'].update(num_classes=150)
optim_wrapper = _base_.swin_l_optimizer
custom_hooks = [dict(type='EMAHook')]
