_base_ = [
    '../maskdino/maskdino_tiny_demo_scenes-panoptic.py',
    '../_base_/models/ibs.py',
]
model = dict(
    panoptic_head=dict(loss_ibs=dict(_base_.ibs_maskdino, num_points=1024))
)
train_dataloader = _base_.whole_batches
