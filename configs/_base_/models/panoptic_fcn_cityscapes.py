"""Panoptic FCN for Cityscapes; every class has a region, things too.

The embedding has 256 channels, as the supplement of Intra-Batch Supervision
has it; the original one has 64.
"""

_base_ = './panoptic_fcn_r50.py'

city = dict(num_things_classes=8, num_stuff_classes=11, region_classes='all')
instance_scales = [
    (1, 128),
    (64, 256),
    (128, 512),
    (256, 1024),
    (512, 2048),
]
model = dict(
    panoptic_head=dict(
        city,
        feature_encoder=dict(channels=256),
        targets=dict(instance_scales=instance_scales),
        loss_mask=dict(loss_weight=4.0),
    ),
    panoptic_fusion_head=city,
    test_cfg=dict(
        center_thr=0.01,
        region_thr=0.1,
        max_per_image=200,
        similarity_thr=0.97,
        mask_thr=0.5,
        stuff_area=2048,
    ),
)
