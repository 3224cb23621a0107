"""What turns mmdet's MaskFormer into ours: `model = _base_.maskformer`.

See mask2former.py.
"""

loss_cls = dict(
    type='mmseg_plugin.QueryClassLoss', no_object_weight=0.1, loss_weight=1.0
)
loss_mask = dict(
    type='mmseg_plugin.DenseMaskLoss',
    alpha=0.25,
    gamma=2.0,
    mask_weight=20.0,
    dice_weight=1.0,
)
assigner = dict(
    type='mmseg_plugin.BatchHungarianAssigner',
    # All pixels of the predicted maps.
    num_points=None,
    costs=[
        dict(type='mmseg_plugin.SoftmaxClassCost', weight=1.0),
        dict(type='mmseg_plugin.MaskFocalCost', weight=20.0),
        dict(type='mmseg_plugin.MaskDiceCost', weight=1.0),
    ],
)
maskformer = dict(
    type='mmseg_plugin.QueryDetector',
    panoptic_head=dict(
        type='mmseg_plugin.MaskFormerHead',
        loss_cls=dict(loss_cls, _delete_=True),
        loss_mask=dict(loss_mask, _delete_=True),
        # Part of loss_mask here.
        loss_dice=None,
    ),
    panoptic_fusion_head=dict(type='mmseg_plugin.QueryFusionHead'),
    train_cfg=dict(_delete_=True, assigner=assigner),
)

# MaskFormer's query head for mmseg, on any pixel decoder:
# `head=dict(_base_.query_head, pixel_decoder=...)`, and what puts it in the
# place of a per-pixel head.
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
    loss_cls=loss_cls,
    loss_mask=loss_mask,
    train_cfg=dict(assigner=assigner),
)
query_decode_head = dict(_delete_=True, type='mmseg_plugin.QueryDecodeHead')
segmentor = dict(type='mmseg_plugin.SegmentorPixelDecoder')

# Beside mmdet's schedules, whose default_hooks no other base may have.
custom_hooks = [dict(type='mmseg_plugin.MatmulPrecisionHook')]
