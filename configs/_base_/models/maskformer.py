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
