_base_ = [
    '../_base_/models/faster-rcnn_x101-32x8d_fpn.py',
    '../_base_/datasets/tt100k.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    '../_base_/schedules/efpn_extension.py',
    '../_base_/runtime/default.py',
]
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[4])),
    roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes)),
)
