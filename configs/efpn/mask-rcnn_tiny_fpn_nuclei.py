_base_ = [
    '../_base_/models/mask-rcnn_tiny_fpn.py',
    '../_base_/datasets/nuclei_instance.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_classes=1)
model = dict(roi_head=dict(bbox_head=classes, mask_head=classes))
