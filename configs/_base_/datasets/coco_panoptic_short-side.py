"""COCO panoptic, resized by its shorter side as detectron2 does.

The environment variable COCO_ROOT replaces the folder (end it with a slash).
`short_side_512` and `short_side_600` hold the pipelines of the smaller
models, to assign: `train_dataloader = _base_.short_side_512` and
`val_dataloader = _base_.val_512`.
"""

_base_ = 'mmdet::_base_/datasets/coco_panoptic.py'

data_root = '{{$COCO_ROOT:data/coco/}}'
annotations = f'{data_root}annotations/'

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
short_side_512 = dict(dataset=dict(pipeline=[*load, to_512, *pack]))
short_side_600 = dict(dataset=dict(pipeline=[*load, to_600, *pack]))

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
shrink = dict(type='mmdet.Resize', keep_ratio=True)
val_400, val_512, val_600, val_800 = [
    dict(
        dataset=dict(
            pipeline=[
                load[0],
                dict(shrink, scale=scale),
                load[1],
                pack_test,
            ]
        )
    )
    for scale in ((667, 400), (854, 512), (1000, 600), (1333, 800))
]

train_dataloader = dict(
    sampler=dict(type='InfiniteSampler'),
    batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'),
    dataset=dict(
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        pipeline=[*load, full, *pack],
    ),
)
val_dataloader = dict(
    dataset=dict(
        val_800['dataset'],
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
    )
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(
        type='mmseg_plugin.CocoPanopticMetric',
        ann_file=f'{annotations}panoptic_val2017.json',
        seg_prefix=f'{annotations}panoptic_val2017/',
    ),
    dict(
        type='mmseg_plugin.CocoInstanceMetric',
        ann_file=f'{annotations}instances_val2017.json',
        metric=['bbox', 'segm'],
    ),
]
test_evaluator = val_evaluator
