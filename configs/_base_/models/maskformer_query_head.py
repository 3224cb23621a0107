"""MaskFormer's query head for semantic segmentation, on any pixel decoder.

Values: ``head=dict(_base_.query_head, pixel_decoder=...)``, and what puts it
in the place of a per-pixel head.
"""

_base_ = './maskformer.py'

attention = dict(embed_dims=256, num_heads=8, dropout=0.1, batch_first=True)
query_head = dict(
    type='mmseg_plugin.MaskFormerHead',
    in_channels=[256, 512, 1024, 2048],
    feat_channels=256,
    out_channels=256,
    num_queries=100,
    transformer_decoder=dict(
        num_layers=6,
        layer_cfg=dict(
            self_attn_cfg=attention,
            cross_attn_cfg=attention,
            ffn_cfg=dict(
                embed_dims=256, feedforward_channels=2048, ffn_drop=0.1
            ),
        ),
    ),
    loss_cls=_base_.loss_cls,
    loss_mask=_base_.loss_mask,
    train_cfg=dict(assigner=_base_.assigner),
)
query_decode_head = dict(_delete_=True, type='mmseg_plugin.QueryDecodeHead')
segmentor = dict(type='mmseg_plugin.SegmentorPixelDecoder')
