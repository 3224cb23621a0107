"""What makes a Faster or Mask R-CNN with ResNet and FPN one with EFPN.

Values to assign to ``model`` in a config that inherits the detector.
"""

roi_extractor = dict(
    type='mmseg_plugin.EFPNRoIExtractor', featmap_strides=[2, 4, 8, 16, 32]
)
efpn_faster_rcnn = dict(
    type='mmseg_plugin.EFPNDetector',
    backbone=dict(type='mmseg_plugin.ExtendedResNet'),
    neck=dict(type='mmseg_plugin.EFPN'),
    roi_head=dict(
        type='mmseg_plugin.EFPNRoIHead', bbox_roi_extractor=roi_extractor
    ),
    loss_extension=dict(
        type='mmseg_plugin.ForegroundBackgroundBalancedLoss', pos_weight=1.0
    ),
)
efpn_mask_rcnn = dict(
    efpn_faster_rcnn,
    roi_head=dict(
        efpn_faster_rcnn['roi_head'], mask_roi_extractor=roi_extractor
    ),
)
resnext101_32x8d = dict(
    # Trained in Caffe2, hence its means.
    data_preprocessor=dict(
        mean=[103.530, 116.280, 123.675],
        std=[57.375, 57.120, 58.395],
        bgr_to_rgb=False,
    ),
    backbone=dict(
        type='mmseg_plugin.ExtendedResNeXt',
        depth=101,
        groups=32,
        base_width=8,
        norm_cfg=dict(type='BN', requires_grad=False),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='open-mmlab://detectron2/resnext101_32x8d',
        ),
    ),
)
# Without EFPN, to compare with and to start from.
faster_rcnn_x101_tt100k = dict(
    resnext101_32x8d,
    backbone=dict(resnext101_32x8d['backbone'], type='mmdet.ResNeXt'),
    rpn_head=dict(anchor_generator=dict(scales=[4])),
    roi_head=dict(bbox_head=dict(num_classes=45)),
)

# The tiny Mask R-CNN with EFPN, for objects of half the usual size.
tiny_extractor = dict(roi_extractor, train_scale=28, test_scale=56)
tiny_efpn_mask_rcnn = dict(
    efpn_mask_rcnn,
    neck=dict(type='mmseg_plugin.EFPN', hidden_channels=96),
    roi_head=dict(
        type='mmseg_plugin.EFPNRoIHead',
        bbox_roi_extractor=tiny_extractor,
        mask_roi_extractor=tiny_extractor,
    ),
)

# Optimizer of the extension; the authors have not published theirs. Its L1
# distances are means over all channels: their gradients are too small for the
# rate of a detector.
extension_optimizer = dict(
    _delete_=True, type='AdamW', lr=0.0002, weight_decay=0.0001
)

# Beside mmdet's schedules, which know of neither.
hooks = dict(
    matmul=dict(type='mmseg_plugin.MatmulPrecisionHook'),
    checkpoint=dict(type='mmseg_plugin.SafeCheckpointHook'),
)
