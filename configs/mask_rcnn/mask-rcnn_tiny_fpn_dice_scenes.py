_base_ = [
    '../_base_/models/mask-rcnn_tiny_fpn.py',
    '../_base_/datasets/scenes_instance.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = dict(num_classes=6)
dice = dict(_delete_=True, type='mmseg_plugin.SoftDiceLoss')
mask_head = dict(classes, loss_mask=dice)
model = dict(roi_head=dict(bbox_head=classes, mask_head=mask_head))
