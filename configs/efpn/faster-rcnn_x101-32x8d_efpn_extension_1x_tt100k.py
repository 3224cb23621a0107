_base_ = './faster-rcnn_x101-32x8d_efpn_head_1x_tt100k.py'
model = dict(stage='extension')
optim_wrapper = dict(optimizer=_base_.extension_optimizer)
load_from = 'work_dirs/faster-rcnn_x101-32x8d_fpn_1x_tt100k/epoch_12.pth'
