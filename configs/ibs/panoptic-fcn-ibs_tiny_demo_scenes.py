_base_ = [
    '../panoptic_fcn/panoptic-fcn_tiny_demo_scenes.py',
    '../_base_/models/ibs.py',
]
model = dict(panoptic_head=dict(loss_ibs=_base_.ibs_panoptic_fcn))
train_dataloader = _base_.whole_batches
