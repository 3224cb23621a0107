_base_ = [
    '../_base_/models/mask-rcnn_tiny_fpn.py',
    '../_base_/datasets/nuclei_instance.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_classes=1)
dice = dict(_delete_=True, type='mmseg_plugin.SoftDiceLoss')
roi_head = dict(bbox_head=classes, mask_head=dict(classes, loss_mask=dice))
model = dict(_base_.mask_rcnn_mobilenetv2, roi_head=roi_head)
