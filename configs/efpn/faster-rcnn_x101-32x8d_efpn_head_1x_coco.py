_base_ = './faster-rcnn_r50_efpn_head_1x_coco.py'
model = _base_.resnext101_32x8d
load_from = (
    'work_dirs/faster-rcnn_x101-32x8d_efpn_extension_1x_coco/epoch_12.pth'
)
