_base_ = './panoptic-fcn_r50_fpn_8xb2-3x_coco.py'
model = dict(panoptic_head=dict(num_kernels=5))
train_dataloader = _base_.short_600
val_dataloader = dict(dataset=dict(pipeline=_base_.test_600))
test_dataloader = val_dataloader
