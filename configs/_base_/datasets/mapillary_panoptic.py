"""Mapillary Vistas 1.2 with 37 thing and 28 stuff classes."""

_base_ = './panoptic_parts.py'

things_and_stuff = dict(num_things_classes=37, num_stuff_classes=28)
query_model = dict(
    panoptic_head=things_and_stuff,
    panoptic_fusion_head=things_and_stuff,
    test_cfg=dict(object_mask_thr=0.0),
)

resize = dict(
    type='RandomChoiceResize',
    scales=[(4096, side) for side in range(1024, 2049, 128)],
    resize_type='mmdet.Resize',
    keep_ratio=True,
)
crop = dict(
    type='mmdet.RandomCrop',
    crop_size=(1024, 1024),
    recompute_bbox=True,
    allow_negative_crop=True,
)
around_object = dict(
    type='mmseg_plugin.CropAroundObject', crop_size=(1024, 1024)
)
to_object = dict(
    type='mmseg_plugin.ResizeToObject',
    shortest_side=(1024, 6192),
    longest_side=9288,
)
near = dict(
    to_object,
    stuff_sides=list(range(1024, 2049, 128)),
    stuff_longest_side=4096,
)
near_color = dict(
    to_object,
    stuff_sides=[int(204.8 * x) for x in range(5, 21)],
    stuff_longest_side=8192,
)

train_set = dict(
    type='mmseg_plugin.MapillaryPanopticDataset',
    data_root='{{$MAPILLARY_ROOT:data/mapillary/}}',
    ann_file='training/panoptic/panoptic_2018.json',
    data_prefix=dict(img='training/images/', seg='training/panoptic/'),
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
        ann_file='validation/panoptic/panoptic_2018.json',
        data_prefix=dict(img='validation/images/', seg='validation/panoptic/'),
        test_mode=True,
        pipeline=[
            _base_.load[0],
            dict(type='mmdet.Resize', scale=(2048, 2048), keep_ratio=True),
            _base_.load[1],
            _base_.pack_truth,
        ],
    )
)
