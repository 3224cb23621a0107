_base_ = './faster-rcnn_r50_efpn_joint_1x_coco.py'
model = dict(stage='extension')
optim_wrapper = dict(optimizer=_base_.extension_optimizer)
load_from = 'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r50_fpn_1x_coco/faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth'
