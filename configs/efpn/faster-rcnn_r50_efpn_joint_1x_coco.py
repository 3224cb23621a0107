_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/models/efpn.py',
    '../_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
]
model = _base_.efpn_faster_rcnn
default_hooks = _base_.hooks
log_processor = dict(type='mmseg_plugin.LogLines')
