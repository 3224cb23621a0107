_base_ = [
    '../_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/datasets/coco_instance.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
]
default_hooks = _base_.mask_rcnn_hooks
log_processor = dict(type='mmseg_plugin.LogLines')
