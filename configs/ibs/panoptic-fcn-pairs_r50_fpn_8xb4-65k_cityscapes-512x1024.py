_base_ = '../panoptic_fcn/panoptic-fcn_r50_fpn_8xb4-65k_cityscapes-512x1024.py'
train_dataloader = dict(_base_.pairs, _delete_=True)
