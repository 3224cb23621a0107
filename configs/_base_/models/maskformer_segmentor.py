"""MaskFormer for mmseg. The config that uses it gives num_classes."""

_base_ = ['./segmentor_r50.py', './maskformer_query_head.py']

model = dict(
    decode_head=dict(
        type='mmseg_plugin.QueryDecodeHead',
        head=dict(
            _base_.query_head,
            pixel_decoder=dict(type='mmdet.PixelDecoder'),
        ),
    ),
)
