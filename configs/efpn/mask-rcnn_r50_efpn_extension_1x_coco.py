_base_ = './mask-rcnn_r50_efpn_joint_1x_coco.py'
model = dict(stage='extension')
optim_wrapper = dict(optimizer=_base_.extension_optimizer)
load_from = 'https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_r50_fpn_1x_coco/mask_rcnn_r50_fpn_1x_coco_20200205-d4b0c5d6.pth'
