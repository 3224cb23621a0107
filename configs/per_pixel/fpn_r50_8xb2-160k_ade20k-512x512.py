_base_ = [
    '../_base_/models/per_pixel.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/semantic.py',
]
model = dict(_base_.fpn, data_preprocessor=dict(size=_base_.crop_size))
model['decode_head'].update(num_classes=150)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
