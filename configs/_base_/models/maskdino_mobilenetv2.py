"""The tiny Mask DINO with an ImageNet backbone, for photos."""

_base_ = ['./maskdino_tiny.py', './mobilenet-v2.py']

model = dict(
    backbone=dict(_base_.mobilenet_v2, _delete_=True),
    panoptic_head=dict(
        in_channels=[24, 32, 96, 320],
        num_queries=100,
        pixel_decoder=dict(num_layers=2),
        denoising=dict(num_queries=40),
        loss_mask=dict(shared_points=False),
        # Every class is rare at first, or a short run only learns that.
        init_cfg=dict(
            type='Normal',
            std=0.01,
            bias_prob=0.01,
            override=dict(name='cls_embed'),
        ),
    ),
)
