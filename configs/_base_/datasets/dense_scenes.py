"""Crops of large synthetic scenes, full of neighbours of the same class.

`python -m mmseg_plugin make_scenes data/dense_scenes --train 240 --val 48
--size 768 1536 --instances 30 60 --small-share 0.05 --neighbour-share 0.75
--empty-share 0` makes them. The first 16 validation images are for choosing
hyper-parameters, the others for testing, both in full size.

`crops` and `pairs` are values to assign, see panoptic_parts.py.
"""

_base_ = ['./scenes_classes.py', './panoptic_parts.py']

data_root = '{{$DENSE_SCENES_ROOT:data/dense_scenes/}}'
things_and_stuff = dict(
    num_things_classes=len(_base_.thing_classes),
    num_stuff_classes=len(_base_.stuff_classes),
)
query_model = dict(
    panoptic_head=things_and_stuff, panoptic_fusion_head=things_and_stuff
)

resize = dict(
    type='RandomResize',
    scale=(1536, 768),
    ratio_range=(0.67, 1.25),
    resize_type='mmdet.Resize',
    keep_ratio=True,
)
crop = dict(
    type='mmdet.RandomCrop',
    crop_size=(512, 512),
    recompute_bbox=True,
    allow_negative_crop=True,
)
resize_to_object = dict(
    type='mmseg_plugin.ResizeToObject',
    shortest_side=(512, 960),
    longest_side=1920,
    stuff_sides=list(range(512, 961, 64)),
    stuff_longest_side=1920,
)
around_object = dict(
    type='mmseg_plugin.CropAroundObject', crop_size=(512, 512)
)
train_set = dict(
    type='mmseg_plugin.CocoPanopticDataset',
    data_root=data_root,
    ann_file='annotations/panoptic_train.json',
    data_prefix=dict(img='train/', seg='annotations/panoptic_train/'),
    metainfo=dict(
        classes=_base_.thing_classes + _base_.stuff_classes,
        thing_classes=_base_.thing_classes,
        stuff_classes=_base_.stuff_classes,
        palette=_base_.thing_palette + _base_.stuff_palette,
    ),
)
crops = dict(
    num_workers=1,
    dataset=dict(
        train_set,
        pipeline=[*_base_.load, resize, crop, _base_.visible, *_base_.pack],
    ),
)
pairs = dict(
    num_workers=1,
    dataset=dict(
        dataset=dict(
            train_set,
            pipeline=[
                *_base_.load,
                resize_to_object,
                around_object,
                _base_.visible,
                *_base_.pack,
            ],
        ),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        train_set,
        ann_file='annotations/panoptic_val.json',
        data_prefix=dict(img='val/', seg='annotations/panoptic_val/'),
        test_mode=True,
        indices=16,
        pipeline=[
            _base_.load[0],
            # For its scale_factor, which mask heads ask for.
            dict(type='mmdet.Resize', scale_factor=1.0),
            _base_.load[1],
            _base_.pack_truth,
        ],
    ),
)
test_dataloader = dict(
    val_dataloader,
    dataset=dict(val_dataloader['dataset'], indices=list(range(16, 48))),
)

val_evaluator = [
    dict(type='mmseg_plugin.CocoPanopticMetric'),
    dict(type='mmseg_plugin.ThingConfusionMetric'),
]
test_evaluator = val_evaluator
