"""Cityscapes with 8 thing and 11 stuff classes.

Loaders to assign in a config: `train_dataloader = _base_.crops`. Those with
`color` are Mask2Former's, 2 crops for each of 8 GPUs, the others Panoptic
FCN's with 4; `images` are whole. `pairs` are published with Intra-Batch
Supervision: two crops of one category, so a loader's batch size counts pairs.
"""

load = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
]
resize = dict(
    type='RandomResize',
    scale=(2048, 1024),
    ratio_range=(0.5, 2.0),
    resize_type='mmdet.Resize',
    keep_ratio=True,
)
crop = dict(
    type='mmdet.RandomCrop',
    crop_size=(1024, 512),
    recompute_bbox=True,
    allow_negative_crop=True,
)
around_object = dict(
    type='mmseg_plugin.CropAroundObject', crop_size=(1024, 512)
)
to_object = dict(
    type='mmseg_plugin.ResizeToObject',
    shortest_side=(512, 3096),
    longest_side=6192,
)
near = dict(
    to_object, stuff_sides=list(range(512, 2049)), stuff_longest_side=4096
)
near_color = dict(
    to_object,
    stuff_sides=[int(102.4 * x) for x in range(5, 21)],
    stuff_longest_side=4096,
)

color = dict(type='mmdet.PhotoMetricDistortion')
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
# For the metrics: where the ground truth of an image is.
pack_truth = dict(
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
)

train_set = dict(
    type='mmseg_plugin.CityscapesPanopticDataset',
    data_root='{{$CITYSCAPES_ROOT:data/cityscapes/}}',
    ann_file='gtFine/cityscapes_panoptic_train.json',
    data_prefix=dict(
        img='leftImg8bit/train/', seg='gtFine/cityscapes_panoptic_train/'
    ),
)
loader = dict(
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler'),
)
pair_loader = dict(loader, collate_fn=dict(type='mmseg_plugin.collate_pairs'))
crops = dict(
    loader,
    batch_size=4,
    dataset=dict(train_set, pipeline=[*load, resize, crop, *pack]),
)
crops_color = dict(
    loader,
    batch_size=2,
    dataset=dict(
        train_set,
        pipeline=[*load, resize, crop, color, *pack],
    ),
)
images = dict(
    loader,
    batch_size=1,
    dataset=dict(train_set, pipeline=[*load, resize, *pack]),
)
pairs = dict(
    pair_loader,
    batch_size=2,
    dataset=dict(
        type='mmseg_plugin.CategoryCropPairs',
        dataset=dict(
            train_set,
            pipeline=[
                *load,
                near,
                around_object,
                visible,
                *pack,
            ],
        ),
    ),
)
pairs_color = dict(
    pair_loader,
    batch_size=1,
    dataset=dict(
        type='mmseg_plugin.CategoryCropPairs',
        dataset=dict(
            train_set,
            pipeline=[
                *load,
                near_color,
                around_object,
                visible,
                color,
                *pack,
            ],
        ),
    ),
)
val = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        train_set,
        ann_file='gtFine/cityscapes_panoptic_val.json',
        data_prefix=dict(
            img='leftImg8bit/val/', seg='gtFine/cityscapes_panoptic_val/'
        ),
        test_mode=True,
        pipeline=[
            load[0],
            dict(type='mmdet.Resize', scale=(2048, 1024), keep_ratio=True),
            load[1],
            pack_truth,
        ],
    ),
)
panoptic_quality = [dict(type='mmseg_plugin.CocoPanopticMetric')]
