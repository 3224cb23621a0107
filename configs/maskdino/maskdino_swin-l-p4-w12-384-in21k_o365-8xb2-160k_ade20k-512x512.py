_base_ = [
    '../_base_/models/maskdino_segmentor.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/maskdino_160k.py',
    '../_base_/schedules/maskdino_swin.py',
]
model = dict(_base_.maskdino_segmentor_large)
model['data_preprocessor'] = dict(size=_base_.crop_size)
model['decode_head'].update(num_classes=_base_.num_classes)
optim_wrapper = _base_.swin_optim_wrapper
custom_hooks = [dict(type='EMAHook')]
