_base_ = [
    '../_base_/models/maskformer_segmentor.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/schedules/semantic.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=19),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
train_cfg = dict(max_iters=90000)
param_scheduler = dict(end=90000)
