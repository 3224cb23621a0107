_base_ = [
    '../_base_/models/maskformer_segmentor.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/semantic.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=150),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
