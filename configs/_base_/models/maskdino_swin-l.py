"""Mask DINO with Swin-L: four backbone levels and one more.

Source: MaskDINO 3831d85, configs/coco/instance-segmentation/swin/
maskdino_bs16_50ep_4s_dowsample1_2048.yaml.
"""

_base_ = './maskdino_r50.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmdet.SwinTransformer',
        pretrain_img_size=384,
        embed_dims=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        drop_path_rate=0.3,
        convert_weights=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/SwinTransformer/storage/releases/'
            'download/v1.0.0/swin_large_patch4_window12_384_22k.pth',
        ),
    ),
    panoptic_head=dict(
        in_channels=[192, 384, 768, 1536],
        initialize_box_type='bitmask',
        pixel_decoder=dict(num_encoder_levels=4),
    ),
)
