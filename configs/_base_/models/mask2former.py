"""What turns mmdet's Mask2Former into ours: `model = _base_.mask2former`.

A value, no `model`, so that it can stand beside any of mmdet's Mask2Former
configs, which give the backbone, the sizes and the numbers of classes.
"""

num_points = 12544

loss_cls = dict(
    type='mmseg_plugin.QueryClassLoss', no_object_weight=0.1, loss_weight=2.0
)
loss_mask = dict(
    type='mmseg_plugin.PointMaskLoss',
    num_points=num_points,
    oversample_ratio=3.0,
    importance_sample_ratio=0.75,
    mask_weight=5.0,
    dice_weight=5.0,
)
assigner = dict(
    type='mmseg_plugin.BatchHungarianAssigner',
    num_points=num_points,
    costs=[
        dict(type='mmseg_plugin.SoftmaxClassCost', weight=2.0),
        dict(type='mmseg_plugin.MaskBCECost', weight=5.0),
        dict(type='mmseg_plugin.MaskDiceCost', weight=5.0),
    ],
)
mask2former = dict(
    type='mmseg_plugin.QueryDetector',
    panoptic_head=dict(
        type='mmseg_plugin.Mask2FormerHead',
        pixel_decoder=dict(type='mmseg_plugin.MSDeformAttnPixelDecoder'),
        loss_cls=dict(loss_cls, _delete_=True),
        loss_mask=dict(loss_mask, _delete_=True),
        # Part of loss_mask here.
        loss_dice=None,
    ),
    panoptic_fusion_head=dict(type='mmseg_plugin.QueryFusionHead'),
    train_cfg=dict(_delete_=True, assigner=assigner),
)
