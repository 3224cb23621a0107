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
    data_preprocessor=dict(non_blocking=True),
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

# Swin-B and Swin-L for configs that inherit a Mask2Former with Swin-S: both
# have its depths, by which mmdet's optimizer configs name the norms.
swin_files = (
    'https://github.com/SwinTransformer/storage/releases/download/v1.0.0/'
)
mask2former_swin_b = dict(
    backbone=dict(
        pretrain_img_size=384,
        embed_dims=128,
        num_heads=[4, 8, 16, 32],
        window_size=12,
        init_cfg=dict(
            checkpoint=f'{swin_files}swin_base_patch4_window12_384_22k.pth'
        ),
    ),
    panoptic_head=dict(in_channels=[128, 256, 512, 1024]),
)
mask2former_swin_l = dict(
    backbone=dict(
        pretrain_img_size=384,
        embed_dims=192,
        num_heads=[6, 12, 24, 48],
        window_size=12,
        init_cfg=dict(
            checkpoint=f'{swin_files}swin_large_patch4_window12_384_22k.pth'
        ),
    ),
    panoptic_head=dict(in_channels=[192, 384, 768, 1536], num_queries=200),
)

# Beside mmdet's schedules, whose default_hooks no other base may have.
custom_hooks = [dict(type='mmseg_plugin.MatmulPrecisionHook')]
