_base_ = './mask-rcnn_r50_efpn_extension_1x_coco.py'
model = _base_.resnext101_32x8d
load_from = 'https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_x101_32x8d_fpn_1x_coco/mask_rcnn_x101_32x8d_fpn_1x_coco_20220630_173841-0aaf329e.pth'
