_base_ = './panoptic-fcn_r50_fpn_8xb4-65k_cityscapes-512x1024.py'
model = dict(panoptic_head=dict(feature_encoder=dict(channels=64)))
