"""The tiny Mask R-CNN with EFPN, for objects of half the usual size."""

_base_ = ['./mask-rcnn_tiny_fpn.py', './efpn.py']

scales = dict(train_scale=28, test_scale=56)

model = dict(
    _base_.efpn_mask_rcnn,
    neck=dict(type='mmseg_plugin.EFPN', hidden_channels=96),
    roi_head=dict(
        type='mmseg_plugin.EFPNRoIHead',
        bbox_roi_extractor=dict(_base_.roi_extractor, **scales),
        mask_roi_extractor=dict(_base_.roi_extractor, **scales),
    ),
)
