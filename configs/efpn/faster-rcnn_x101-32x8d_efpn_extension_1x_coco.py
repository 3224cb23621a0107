_base_ = './faster-rcnn_r50_efpn_extension_1x_coco.py'
model = _base_.resnext101_32x8d
load_from = 'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_x101_32x8d_fpn_mstrain_3x_coco/faster_rcnn_x101_32x8d_fpn_mstrain_3x_coco_20210604_182954-002e082a.pth'
