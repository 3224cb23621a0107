"""COCO panoptic, resized by its shorter side as detectron2 does.

`short_512` and `short_600` hold the pipelines of the smaller models, to
assign: `train_dataloader = _base_.short_512`.
"""

_base_ = './coco_panoptic.py'

load = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
]
resize = dict(
    type='RandomChoiceResize', resize_type='mmdet.Resize', keep_ratio=True
)
pack = [
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
full = dict(resize, scales=[(1333, side) for side in range(640, 801, 32)])
to_512 = dict(resize, scales=[(854, side) for side in range(352, 513, 32)])
to_600 = dict(resize, scales=[(1000, side) for side in range(440, 601, 32)])
short_512 = dict(dataset=dict(pipeline=[*load, to_512, *pack]))
short_600 = dict(dataset=dict(pipeline=[*load, to_600, *pack]))

train_dataloader = dict(
    sampler=dict(type='InfiniteSampler'),
    batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'),
    dataset=dict(pipeline=[*load, full, *pack]),
)
pack_test = dict(
    type='mmdet.PackDetInputs',
    meta_keys=(
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
    ),
)
test_resize = dict(type='mmdet.Resize', keep_ratio=True)
test_400 = [load[0], dict(test_resize, scale=(667, 400)), load[1], pack_test]
test_512 = [load[0], dict(test_resize, scale=(854, 512)), load[1], pack_test]
test_600 = [load[0], dict(test_resize, scale=(1000, 600)), load[1], pack_test]
val_evaluator = _base_.panoptic_evaluator
test_evaluator = val_evaluator
