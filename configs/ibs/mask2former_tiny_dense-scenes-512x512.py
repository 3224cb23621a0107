_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/datasets/dense_scenes.py',
    '../_base_/schedules/dense_scenes.py',
]
model = _base_.query_model
train_dataloader = _base_.crops
