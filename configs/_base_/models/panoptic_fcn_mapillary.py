"""Panoptic FCN for Mapillary Vistas 1.2, embedding of 256 channels."""

_base_ = './panoptic_fcn_r50.py'

street = dict(num_things_classes=37, num_stuff_classes=28)
instance_scales = [
    (1, 128),
    (64, 256),
    (128, 512),
    (256, 1024),
    (512, 4096),
]
model = dict(
    panoptic_head=dict(
        street,
        feature_encoder=dict(channels=256),
        targets=dict(instance_scales=instance_scales),
        num_kernels=3,
    ),
    panoptic_fusion_head=street,
    test_cfg=dict(center_thr=0.2, region_thr=0.1, similarity_thr=0.95),
)
