"""Cityscapes with 8 thing and 11 stuff classes."""

_base_ = './panoptic_parts.py'

things_and_stuff = dict(num_things_classes=8, num_stuff_classes=11)
query_model = dict(
    panoptic_head=things_and_stuff, panoptic_fusion_head=things_and_stuff
)

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

train_set = dict(
    type='mmseg_plugin.CityscapesPanopticDataset',
    data_root='{{$CITYSCAPES_ROOT:data/cityscapes/}}',
    ann_file='gtFine/cityscapes_panoptic_train.json',
    data_prefix=dict(
        img='leftImg8bit/train/', seg='gtFine/cityscapes_panoptic_train/'
    ),
)
crops = dict(
    dataset=dict(
        train_set, pipeline=[*_base_.load, resize, crop, *_base_.pack]
    )
)
crops_color = dict(
    dataset=dict(
        train_set,
        pipeline=[*_base_.load, resize, crop, _base_.color, *_base_.pack],
    )
)
images = dict(
    dataset=dict(train_set, pipeline=[*_base_.load, resize, *_base_.pack])
)
pairs = dict(
    dataset=dict(
        dataset=dict(
            train_set,
            pipeline=[
                *_base_.load,
                near,
                around_object,
                _base_.visible,
                *_base_.pack,
            ],
        )
    )
)
pairs_color = dict(
    dataset=dict(
        dataset=dict(
            train_set,
            pipeline=[
                *_base_.load,
                near_color,
                around_object,
                _base_.visible,
                _base_.color,
                *_base_.pack,
            ],
        )
    )
)
val = dict(
    dataset=dict(
        train_set,
        ann_file='gtFine/cityscapes_panoptic_val.json',
        data_prefix=dict(
            img='leftImg8bit/val/', seg='gtFine/cityscapes_panoptic_val/'
        ),
        test_mode=True,
        pipeline=[
            _base_.load[0],
            dict(type='mmdet.Resize', scale=(2048, 1024), keep_ratio=True),
            _base_.load[1],
            _base_.pack_truth,
        ],
    )
)
