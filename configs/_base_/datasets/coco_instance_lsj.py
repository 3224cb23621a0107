"""COCO instances with large scale jittering exactly as published.

At 1280, one image for each process: `train_dataloader = _base_.lsj_1280`.
"""

_base_ = ['./coco_instance.py', './lsj_parts.py']

visible = dict(
    type='mmdet.FilterAnnotations', min_gt_bbox_wh=(1e-5, 1e-5), by_mask=True
)
train_pipeline = [
    *_base_.read_instances,
    *_base_.jitter,
    visible,
    *_base_.pad,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
lsj_1280 = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        pipeline=[
            *_base_.read_instances,
            *_base_.jitter_1280,
            visible,
            *_base_.pad_1280,
        ]
    ),
)
