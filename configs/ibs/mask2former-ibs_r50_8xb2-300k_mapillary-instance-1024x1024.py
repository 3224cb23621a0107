_base_ = [
    '../mask2former/mask2former_r50_8xb2-300k_mapillary-instance-1024x1024.py',
    '../_base_/models/ibs.py',
]
model = dict(panoptic_head=dict(loss_ibs=_base_.ibs_mask2former))
train_dataloader = dict(_base_.instance_pairs_color, _delete_=True)
