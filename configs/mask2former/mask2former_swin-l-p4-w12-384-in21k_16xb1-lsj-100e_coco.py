_base_ = './mask2former_swin-s-p4-w7-224_8xb2-lsj-50e_coco.py'
model = _base_.mask2former_swin_l
train_dataloader = dict(batch_size=1)
max_iters = 737500
param_scheduler = dict(end=max_iters, milestones=[655556, 710184])
train_cfg = dict(max_iters=max_iters, dynamic_intervals=[(735001, max_iters)])
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
