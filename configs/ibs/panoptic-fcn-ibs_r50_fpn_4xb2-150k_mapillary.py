_base_ = [
    '../panoptic_fcn/panoptic-fcn_r50_fpn_8xb1-150k_mapillary.py',
    '../_base_/models/ibs.py',
]
model = dict(panoptic_head=dict(loss_ibs=_base_.ibs_panoptic_fcn))
train_dataloader = dict(batch_size=2)
