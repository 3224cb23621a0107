_base_ = [
    './mask2former_tiny_dense-scenes-512x512.py',
    '../_base_/models/ibs.py',
]
model = dict(
    panoptic_head=dict(loss_ibs=dict(_base_.ibs_mask2former, num_points=1024))
)
