_base_ = [
    './panoptic-fcn_tiny_dense-scenes-512x512.py',
    '../_base_/models/ibs.py',
]
model = dict(panoptic_head=dict(loss_ibs=_base_.ibs_panoptic_fcn))
