_base_ = [
    '../_base_/models/maskdino_segmentor.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/maskdino_segmentor.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=150),
)
