_base_ = './mask-rcnn_r50_fpn_bce_1x_coco.py'
losses = dict(
    bce=dict(type='mmseg_plugin.LabelSmoothingBCELoss', smoothing=0.0),
    dice=dict(type='mmseg_plugin.SoftDiceLoss'),
)
model = dict(
    roi_head=dict(mask_head=dict(loss_mask=dict(_delete_=True, **losses)))
)
