_base_ = [
    '../_base_/models/maskdino_swin-l.py',
    '../_base_/datasets/coco_instance_lsj.py',
    '../_base_/schedules/maskdino_swin_50e.py',
]
model = _base_.query_model
train_dataloader = dict(batch_size=1, num_workers=1)
