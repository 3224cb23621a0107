_base_ = [
    '../_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/datasets/coco_instance.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
]
default_hooks = dict(
    matmul=dict(type='mmseg_plugin.MatmulPrecisionHook'),
    progress=dict(type='mmseg_plugin.ProgressHook'),
    pictures=dict(type='mmseg_plugin.PicturesHook'),
    checkpoint=dict(type='mmseg_plugin.SafeCheckpointHook'),
)
log_processor = dict(type='mmseg_plugin.LogLines')
