_base_ = [
    '../_base_/models/mask-rcnn_tiny_fpn.py',
    '../_base_/models/efpn.py',
    '../_base_/datasets/nuclei_instance.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_classes=1)
model = dict(_base_.tiny_efpn_mask_rcnn)
model['roi_head'].update(bbox_head=classes, mask_head=classes)
