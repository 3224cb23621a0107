_base_ = [
    '../_base_/models/maskdino.py',
    '../_base_/datasets/coco_panoptic_lsj.py',
    '../_base_/schedules/maskdino.py',
]
model = _base_.maskdino_swin_l_panoptic
optim_wrapper = _base_.swin_l_optimizer
train_dataloader = dict(batch_size=1)
