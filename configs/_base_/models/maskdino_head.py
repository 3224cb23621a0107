"""Heads of Mask DINO with ResNet-50, as published for COCO instances.

Values: ``panoptic_head=_base_.maskdino_head``. The config that uses them
gives the numbers of classes.

Source: MaskDINO 3831d85, configs/coco/instance-segmentation/
maskdino_R50_bs16_50ep_3s_dowsample1_2048.yaml.
"""

num_points = 12544

maskdino_head = dict(
    type='mmseg_plugin.MaskDINOHead',
    in_channels=[256, 512, 1024, 2048],
    feat_channels=256,
    out_channels=256,
    num_queries=300,
    initialize_box_type='mask2box',
    pixel_decoder=dict(
        type='mmseg_plugin.MaskDINOEncoder',
        num_encoder_levels=3,
        num_extra_levels=1,
        feature_order='low2high',
        num_layers=6,
        feedforward_channels=2048,
    ),
    transformer_decoder=dict(num_layers=9, feedforward_channels=2048),
    denoising=dict(num_queries=100, label_noise=0.2, box_noise=0.4),
    loss_cls=dict(type='mmseg_plugin.QueryFocalLoss', loss_weight=4.0),
    loss_mask=dict(
        type='mmseg_plugin.PointMaskLoss',
        num_points=num_points,
        mask_weight=5.0,
        dice_weight=5.0,
    ),
    loss_bbox=dict(
        type='mmseg_plugin.QueryBoxLoss', l1_weight=5.0, iou_weight=2.0
    ),
)
detection_costs = [
    dict(type='mmseg_plugin.FocalClassCost', weight=4.0),
    dict(type='mmseg_plugin.BoxL1Cost', weight=5.0),
    dict(type='mmseg_plugin.BoxGIoUCost', weight=2.0),
]
maskdino_assigner = dict(
    type='mmseg_plugin.BatchHungarianAssigner',
    num_points=num_points,
    costs=[
        *detection_costs,
        dict(type='mmseg_plugin.MaskBCECost', weight=5.0),
        dict(type='mmseg_plugin.MaskDiceCost', weight=5.0),
    ],
)

# For boxes alone, like DINO: `model = _base_.maskdino_boxes`.
maskdino_boxes = dict(
    panoptic_head=dict(
        out_channels=None, initialize_box_type='no', loss_mask=None
    ),
    train_cfg=dict(assigner=dict(costs=detection_costs)),
)

# As published for ADE20K and Cityscapes: one stage, softmax with no-object,
# three levels (configs/ade20k/semantic-segmentation/
# maskdino_R50_bs16_160k_steplr.yaml).
maskdino_semantic_head = dict(
    maskdino_head,
    num_queries=100,
    two_stage=False,
    initialize_box_type='no',
    use_sigmoid=False,
    pixel_decoder=dict(
        maskdino_head['pixel_decoder'],
        num_extra_levels=0,
        feature_order='high2low',
        feedforward_channels=1024,
    ),
    loss_cls=dict(type='mmseg_plugin.QueryClassLoss', loss_weight=4.0),
)
# What Swin-L changes of it. The paper gives the queries; the levels are those
# of the published COCO models, from whose pre-training this one starts.
maskdino_semantic_large = dict(
    in_channels=[192, 384, 768, 1536],
    num_queries=900,
    pixel_decoder=dict(
        num_encoder_levels=4,
        num_extra_levels=1,
        feature_order='low2high',
        feedforward_channels=2048,
    ),
)
