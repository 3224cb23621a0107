"""Mask DINO with Swin-L: four backbone levels and one more.

Source: MaskDINO 3831d85, configs/coco/instance-segmentation/swin/
maskdino_bs16_50ep_4s_dowsample1_2048.yaml.
"""

_base_ = ['./maskdino_r50.py', './swin-l.py']

model = dict(
    backbone=dict(_base_.swin_l, _delete_=True),
    panoptic_head=dict(
        in_channels=[192, 384, 768, 1536],
        initialize_box_type='bitmask',
        pixel_decoder=dict(num_encoder_levels=4),
    ),
)
