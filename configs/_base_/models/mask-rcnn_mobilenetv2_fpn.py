"""The tiny Mask R-CNN with an ImageNet backbone, for up to 300 instances."""

_base_ = ['./mask-rcnn_tiny_fpn.py', './mobilenet-v2.py']

model = dict(
    backbone=dict(_base_.mobilenet_v2, _delete_=True),
    neck=dict(in_channels=[24, 32, 96, 320]),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=1000, max_per_img=500),
        rcnn=dict(max_per_img=300),
    ),
)
