"""Crops of large synthetic scenes, full of neighbours of the same class.

`python -m mmseg_plugin make_scenes data/dense_scenes --train 240 --val 48
--size 768 1536 --instances 30 60 --small-share 0.05 --neighbour-share 0.75
--empty-share 0` makes them. The first 16 validation images are for choosing
hyper-parameters, the others for testing, both in full size.

`train_dataloader = _base_.crops` trains on single crops, `dict(_base_.pairs,
_delete_=True)` on pairs of crops of one category, as published with
Intra-Batch Supervision: its batch size counts pairs.
"""

data_root = '{{$DENSE_SCENES_ROOT:data/dense_scenes/}}'
thing_classes = ('disc', 'box', 'triangle', 'star', 'ring', 'cross')
stuff_classes = ('meadow', 'water', 'bricks')
metainfo = dict(
    classes=thing_classes + stuff_classes,
    thing_classes=thing_classes,
    stuff_classes=stuff_classes,
    palette=[
        (220, 20, 60),
        (240, 200, 0),
        (0, 170, 60),
        (0, 190, 210),
        (40, 60, 220),
        (200, 40, 220),
        (150, 190, 120),
        (120, 160, 190),
        (190, 150, 130),
    ],
)

load = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
]
# Objects of one pixel or none are no targets.
visible = dict(
    type='mmdet.FilterAnnotations',
    by_box=False,
    by_mask=True,
    min_gt_mask_area=2,
    keep_empty=False,
)
pack = [
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
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
    metainfo=metainfo,
)
loader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler'),
)
crops = dict(
    loader,
    batch_size=4,
    dataset=dict(
        train_set,
        pipeline=[*load, resize, crop, visible, *pack],
    ),
)
pairs = dict(
    loader,
    batch_size=2,
    collate_fn=dict(type='mmseg_plugin.collate_pairs'),
    dataset=dict(
        type='mmseg_plugin.CategoryCropPairs',
        dataset=dict(
            train_set,
            pipeline=[
                *load,
                resize_to_object,
                around_object,
                visible,
                *pack,
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
            load[0],
            # For its scale_factor, which mask heads ask for.
            dict(type='mmdet.Resize', scale_factor=1.0),
            load[1],
            # For the metrics: where the ground truth of an image is.
            dict(
                type='mmdet.PackDetInputs',
                meta_keys=(
                    'img_id',
                    'img_path',
                    'ori_shape',
                    'img_shape',
                    'scale_factor',
                    'seg_map_path',
                    'segments_info',
                ),
            ),
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
