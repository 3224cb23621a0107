_base_ = (
    '../panoptic_fcn/panoptic-fcn_r50_fpn_8xb4-150k_mapillary-1024x1024.py'
)
train_dataloader = dict(_base_.pairs, _delete_=True)
