_base_ = [
    '../_base_/models/maskformer_segmentor.py',
    '../_base_/datasets/ade20k_full.py',
    '../_base_/schedules/semantic_ade20k-full.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size, seg_pad_val=_base_.void),
    decode_head=dict(num_classes=847, ignore_index=_base_.void),
)
