_base_ = '../configs/mask_rcnn/mask-rcnn_tiny_fpn_demo_scenes.py'
custom_imports = dict(imports=['own_loss'])
loss_mask = dict(_delete_=True, type='mmdet.TverskyLoss', missed=0.8)
model = dict(roi_head=dict(mask_head=dict(loss_mask=loss_mask)))
