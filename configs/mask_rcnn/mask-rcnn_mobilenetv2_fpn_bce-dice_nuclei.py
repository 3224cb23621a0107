_base_ = [
    '../_base_/models/mask-rcnn_tiny_fpn.py',
    '../_base_/datasets/nuclei_instance.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_classes=1)
bce = dict(type='mmseg_plugin.LabelSmoothingBCELoss', smoothing=0.0)
losses = dict(_delete_=True, bce=bce)
losses['dice'] = dict(type='mmseg_plugin.SoftDiceLoss')
roi_head = dict(bbox_head=classes, mask_head=dict(classes, loss_mask=losses))
model = dict(_base_.mask_rcnn_mobilenetv2, roi_head=roi_head)
