"""Mask DINO for semantic segmentation in mmdet; all classes are stuff.

As published for ADE20K and Cityscapes: one stage, softmax with no-object,
three levels (MaskDINO 3831d85, configs/ade20k/semantic-segmentation/
maskdino_R50_bs16_160k_steplr.yaml). The classes are those of ADE20K.
`model = _base_.maskdino_cityscapes` makes them those of Cityscapes. See
maskdino_segmentor.py for the same model in mmseg.
"""

_base_ = './maskdino.py'

ade20k_classes = dict(num_things_classes=0, num_stuff_classes=150)
encoder = dict(
    _base_.maskdino_head['pixel_decoder'],
    num_extra_levels=0,
    feature_order='high2low',
    feedforward_channels=1024,
)
semantic_head = dict(
    _base_.maskdino_head,
    num_queries=100,
    two_stage=False,
    initialize_box_type='no',
    use_sigmoid=False,
    pixel_decoder=encoder,
    loss_cls=dict(type='mmseg_plugin.QueryClassLoss', loss_weight=4.0),
)
model = dict(
    panoptic_head=dict(semantic_head, _delete_=True, **ade20k_classes),
    panoptic_fusion_head=dict(ade20k_classes, use_sigmoid=False),
    test_cfg=dict(instance_on=False, semantic_on=True),
)

# What Swin-L changes. The paper gives the queries; the levels are those of
# the published COCO models, from whose pre-training this one starts.
swin_l_semantic_head = dict(
    in_channels=[192, 384, 768, 1536],
    num_queries=900,
    pixel_decoder=dict(
        num_encoder_levels=4,
        num_extra_levels=1,
        feature_order='low2high',
        feedforward_channels=2048,
    ),
)

cityscapes_classes = dict(num_things_classes=0, num_stuff_classes=19)
maskdino_cityscapes = dict(
    backbone=dict(norm_cfg=dict(type='SyncBN'), norm_eval=False),
    panoptic_head=cityscapes_classes,
    panoptic_fusion_head=cityscapes_classes,
)
