"""Mask2Former for mmseg. The config that uses it gives num_classes."""

_base_ = ['./segmentor_r50.py', './mask2former.py']

attention = dict(embed_dims=256, num_heads=8, batch_first=True)
model = dict(
    decode_head=dict(
        type='mmseg_plugin.QueryDecodeHead',
        head=dict(
            type='mmseg_plugin.Mask2FormerHead',
            in_channels=[256, 512, 1024, 2048],
            feat_channels=256,
            out_channels=256,
            num_queries=100,
            pixel_decoder=dict(
                type='mmseg_plugin.MSDeformAttnPixelDecoder',
                encoder=dict(
                    num_layers=6,
                    layer_cfg=dict(
                        self_attn_cfg=dict(
                            attention, num_levels=3, dropout=0.0
                        ),
                        ffn_cfg=dict(
                            embed_dims=256, feedforward_channels=1024
                        ),
                    ),
                ),
                positional_encoding=dict(num_feats=128, normalize=True),
            ),
            transformer_decoder=dict(
                num_layers=9,
                layer_cfg=dict(
                    self_attn_cfg=attention,
                    cross_attn_cfg=attention,
                    ffn_cfg=dict(embed_dims=256, feedforward_channels=2048),
                ),
            ),
            loss_cls=_base_.loss_cls,
            loss_mask=_base_.loss_mask,
            train_cfg=dict(assigner=_base_.assigner),
        ),
    ),
)
