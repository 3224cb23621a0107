_base_ = [
    '../_base_/models/upernet_r50.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/semantic_160k.py',
]
classes = dict(num_classes=_base_.num_classes)
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=classes,
    auxiliary_head=classes,
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
