_base_ = './faster-rcnn_r50_efpn_joint_1x_coco.py'
model = dict(stage='head')
load_from = 'work_dirs/faster-rcnn_r50_efpn_extension_1x_coco/epoch_12.pth'
