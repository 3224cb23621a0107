"""Swin-B and Swin-L for configs that inherit a Mask2Former with Swin-S.

Both have Swin-S's depths, by which mmdet's optimizer configs name the norms.
"""

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
