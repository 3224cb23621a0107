_base_ = [
    'mmdet::mask2former/mask2former_swin-s-p4-w7-224_8xb2-lsj-50e_coco.py',
    '../_base_/models/mask2former_swin.py',
    '../_base_/schedules/lsj_100e.py',
]
model = _base_.mask2former_swin_l
train_dataloader = dict(batch_size=1, num_workers=1)
param_scheduler = _base_.lsj_100e_scheduler
train_cfg = _base_.lsj_100e_loop
