_base_ = [
    'mmdet::_base_/models/cascade-rcnn_r50_fpn.py',
    '../_base_/models/efpn.py',
    '../_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
]
roi_head = dict(
    _base_.efpn_faster_rcnn.roi_head, type='mmseg_plugin.EFPNCascadeRoIHead'
)
model = dict(_base_.efpn_faster_rcnn, roi_head=roi_head)
default_hooks = dict(checkpoint=dict(type='mmseg_plugin.SafeCheckpointHook'))
log_processor = dict(type='mmseg_plugin.LogLines')
