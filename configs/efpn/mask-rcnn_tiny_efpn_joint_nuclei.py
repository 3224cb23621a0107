_base_ = [
    '../_base_/models/mask-rcnn_tiny_efpn.py',
    '../_base_/datasets/nuclei_instance.py',
    '../_base_/schedules/schedule_short.py',
]
num_classes = _base_.num_classes
model = dict(
    roi_head=dict(
        bbox_head=dict(num_classes=num_classes),
        mask_head=dict(num_classes=num_classes),
    )
)
