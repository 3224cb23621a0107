_base_ = './faster-rcnn_x101-32x8d_fpn_1x_tt100k.py'
efpn = _base_.efpn_faster_rcnn
extractor = dict(_base_.roi_extractor, test_scale=56)
model = dict(
    efpn,
    stage='head',
    backbone=dict(type='mmseg_plugin.ExtendedResNeXt'),
    roi_head=dict(efpn['roi_head'], bbox_roi_extractor=extractor),
)
load_from = (
    'work_dirs/faster-rcnn_x101-32x8d_efpn_extension_1x_tt100k/epoch_12.pth'
)
