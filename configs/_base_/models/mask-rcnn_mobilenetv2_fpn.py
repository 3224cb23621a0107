"""Mask R-CNN that trains in minutes on one CPU core.

A quarter of the usual channels, small anchors, few RoIs. Other weights:
--cfg-options model.backbone.init_cfg.checkpoint=FILE_OR_URL
"""

_base_ = './mask-rcnn_r50_fpn.py'

channels = 64
max_instances_per_image = 300

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
    neck=dict(in_channels=[24, 32, 96, 320], out_channels=channels),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        # 16 px on the finest level instead of 32.
        anchor_generator=dict(scales=[4]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels),
        bbox_head=dict(in_channels=channels, fc_out_channels=256),
        mask_roi_extractor=dict(out_channels=channels),
        mask_head=dict(in_channels=channels, conv_out_channels=channels),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=1000, max_per_img=500),
        rcnn=dict(max_per_img=max_instances_per_image),
    ),
)
