_base_ = [
    'mmdet::_base_/models/cascade-rcnn_r50_fpn.py',
    '../_base_/models/efpn.py',
    '../_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
]
efpn = _base_.efpn_faster_rcnn
kind = 'mmseg_plugin.EFPNCascadeRoIHead'
model = dict(efpn, roi_head=dict(efpn.roi_head, type=kind))
default_hooks = _base_.hooks
log_processor = dict(type='mmseg_plugin.LogLines')
