"""mmdet's own Mask2Former, head, losses and results, at the size of ours.

To compare with. The data set gives its `mmdet_head`.
"""

_base_ = './mask2former_tiny.py'

positional_encoding = dict(num_feats=_base_.channels // 2, normalize=True)
model = dict(
    type='mmdet.Mask2Former',
    panoptic_head=dict(
        type='mmdet.Mask2FormerHead',
        strides=[4, 8, 16, 32],
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type='mmdet.MSDeformAttnPixelDecoder',
            num_outs=3,
            norm_cfg=dict(type='GN', num_groups=32),
            act_cfg=dict(type='ReLU'),
        ),
        positional_encoding=positional_encoding,
        loss_cls=dict(
            type='mmdet.CrossEntropyLoss', loss_weight=2.0, _delete_=True
        ),
        loss_mask=dict(
            type='mmdet.CrossEntropyLoss',
            use_sigmoid=True,
            loss_weight=5.0,
            _delete_=True,
        ),
        loss_dice=dict(
            type='mmdet.DiceLoss', naive_dice=True, eps=1.0, loss_weight=5.0
        ),
    ),
    panoptic_fusion_head=dict(type='mmdet.MaskFormerFusionHead'),
    train_cfg=dict(
        _delete_=True,
        num_points=_base_.num_points,
        oversample_ratio=3.0,
        importance_sample_ratio=0.75,
        assigner=dict(
            type='mmdet.HungarianAssigner',
            match_costs=[
                dict(type='mmdet.ClassificationCost', weight=2.0),
                dict(type='mmdet.CrossEntropyLossCost', weight=5.0),
                dict(type='mmdet.DiceCost', weight=5.0, pred_act=True, eps=1),
            ],
        ),
        sampler=dict(type='mmdet.MaskPseudoSampler'),
    ),
)
