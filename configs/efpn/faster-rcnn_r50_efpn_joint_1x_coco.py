_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/models/efpn.py',
    '../_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    '../_base_/schedules/efpn_extension.py',
    '../_base_/runtime/default.py',
]
model = _base_.efpn_faster_rcnn
