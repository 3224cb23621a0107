_base_ = [
    '../_base_/models/mask-rcnn_mobilenetv2_fpn.py',
    '../_base_/datasets/nuclei_instance.py',
    '../_base_/schedules/schedule_short.py',
]
model = dict(
    roi_head=dict(
        bbox_head=dict(num_classes=_base_.num_classes),
        mask_head=dict(num_classes=_base_.num_classes),
    )
)
