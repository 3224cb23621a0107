"""The tiny Mask DINO with an ImageNet backbone, for photos.

Other weights:
--cfg-options model.backbone.init_cfg.checkpoint=FILE_OR_URL
"""

_base_ = './maskdino_tiny.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmdet.MobileNetV2',
        out_indices=(1, 2, 4, 6),
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='open-mmlab://mmdet/mobilenet_v2'
        ),
    ),
    panoptic_head=dict(
        in_channels=[24, 32, 96, 320],
        num_queries=100,
        # Every class is rare at first, or a short run only learns that.
        init_cfg=dict(
            type='Normal',
            std=0.01,
            bias_prob=0.01,
            override=dict(name='cls_embed'),
        ),
    ),
)
