"""Panoptic FCN with a ResNet-50, for COCO.

`deformed` and `plain` are the two kinds of convolution; with `conv_cfg=plain`
everywhere the model needs no compiled operator. `model =
_base_.panoptic_fcn_cityscapes` and `_base_.panoptic_fcn_mapillary` are those
of Intra-Batch Supervision, whose embedding has 256 channels, as its
supplement has it; the original one has 64.
"""

coco_classes = dict(num_things_classes=80, num_stuff_classes=53)

deformed = dict(type='DCNv2')
plain = None
group_norm = dict(type='GN', num_groups=32)

model = dict(
    type='mmseg_plugin.PanopticFCN',
    # As published: BGR images, means in the order of RGB.
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[1.0, 1.0, 1.0],
        bgr_to_rgb=False,
        pad_size_divisor=32,
        pad_mask=True,
        pad_seg=True,
        seg_pad_value=255,
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=50,
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        style='caffe',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='open-mmlab://detectron2/resnet50_caffe',
        ),
    ),
    neck=dict(
        type='mmdet.FPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        add_extra_convs='on_output',
        relu_before_extra_convs=True,
        num_outs=6,
    ),
    panoptic_head=dict(
        coco_classes,
        type='mmseg_plugin.PanopticFCNHead',
        semantic_fpn=dict(type='mmseg_plugin.SemanticFPN'),
        in_channels=256,
        position_head=dict(
            channels=256, conv_cfg=deformed, norm_cfg=group_norm
        ),
        kernel_head=dict(channels=256, norm_cfg=group_norm),
        feature_encoder=dict(channels=64),
        num_kernels=7,
        loss_position=dict(
            type='mmseg_plugin.MapFocalLoss',
            gamma=2.0,
            alpha=0.25,
            loss_weight=1.0,
        ),
        loss_mask=dict(type='mmseg_plugin.WeightedDiceLoss', loss_weight=3.0),
    ),
    panoptic_fusion_head=dict(
        coco_classes, type='mmseg_plugin.PanopticFCNFusionHead'
    ),
    train_cfg=dict(),
    test_cfg=dict(panoptic_on=True, instance_on=True),
)

street_scales = [(1, 128), (64, 256), (128, 512), (256, 1024)]
# Every class has a region, things too.
city = dict(num_things_classes=8, num_stuff_classes=11, region_classes='all')
panoptic_fcn_cityscapes = dict(
    panoptic_head=dict(
        city,
        feature_encoder=dict(channels=256),
        targets=dict(instance_scales=[*street_scales, (512, 2048)]),
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

vistas = dict(num_things_classes=37, num_stuff_classes=28)
panoptic_fcn_mapillary = dict(
    panoptic_head=dict(
        vistas,
        feature_encoder=dict(channels=256),
        targets=dict(instance_scales=[*street_scales, (512, 4096)]),
        num_kernels=3,
    ),
    panoptic_fusion_head=vistas,
    test_cfg=dict(center_thr=0.2, region_thr=0.1, similarity_thr=0.95),
)
