"""COCO panoptic, ready to train on: large scale jittering as published.

At 1280, one image for each process: `train_dataloader = _base_.lsj_1280`.
"""

_base_ = ['./coco_panoptic.py', './lsj_parts.py']

train_pipeline = [*_base_.read_panoptic, *_base_.jitter, *_base_.pad]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
lsj_1280 = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        pipeline=[
            *_base_.read_panoptic,
            *_base_.jitter_1280,
            *_base_.pad_1280,
        ]
    ),
)
# PQ, AP of things and mIoU from one run.
val_evaluator = [
    *_base_.panoptic_evaluator,
    dict(type='mmdet.SemSegMetric', iou_metrics=['mIoU']),
]
test_evaluator = val_evaluator
