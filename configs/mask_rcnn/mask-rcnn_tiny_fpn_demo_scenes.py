_base_ = [
    '../_base_/models/mask-rcnn_tiny_fpn.py',
    '../_base_/datasets/scenes_instance.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = dict(num_classes=6)
model = dict(roi_head=dict(bbox_head=classes, mask_head=classes))
