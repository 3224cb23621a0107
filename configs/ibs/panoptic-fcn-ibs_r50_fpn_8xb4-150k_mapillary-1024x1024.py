_base_ = [
    '../panoptic_fcn/panoptic-fcn_r50_fpn_8xb4-150k_mapillary-1024x1024.py',
    '../_base_/models/ibs.py',
]
model = dict(
    panoptic_head=dict(
        loss_ibs=dict(_base_.ibs_panoptic_fcn, pairing='adjacent')
    )
)
train_dataloader = dict(_base_.pairs, _delete_=True)
