_base_ = [
    './upernet_r50_8xb2-160k_ade20k-512x512.py',
    '../_base_/models/maskformer.py',
]
pixels = dict(_base_.segmentor, decode_head=_base_.model.decode_head)
head = dict(_base_.query_head, pixel_decoder=pixels)
model = dict(
    decode_head=dict(_base_.query_decode_head, head=head, num_classes=150),
    auxiliary_head=None,
)
