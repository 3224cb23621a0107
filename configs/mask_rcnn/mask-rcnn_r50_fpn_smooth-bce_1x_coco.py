_base_ = './mask-rcnn_r50_fpn_bce_1x_coco.py'
model = dict(roi_head=dict(mask_head=dict(loss_mask=dict(smoothing=0.05))))
