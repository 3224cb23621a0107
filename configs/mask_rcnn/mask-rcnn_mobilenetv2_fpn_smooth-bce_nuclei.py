_base_ = './mask-rcnn_mobilenetv2_fpn_bce_nuclei.py'
model = dict(roi_head=dict(mask_head=dict(loss_mask=dict(smoothing=0.05))))
