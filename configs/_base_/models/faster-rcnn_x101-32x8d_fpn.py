_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', './efpn.py']

resnext = _base_.resnext101_32x8d
model = dict(
    data_preprocessor=resnext['data_preprocessor'],
    backbone=dict(resnext['backbone'], type='mmdet.ResNeXt'),
)
