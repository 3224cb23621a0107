"""Semantic segmentation by detectors of mmdet, in crops as published.

ADE20K; a config moves to Cityscapes by `train_dataloader =
_base_.cityscapes_train` and `val_dataloader = _base_.cityscapes_val`. For
mmseg's segmentors see ade20k.py and cityscapes.py.
"""

_base_ = 'mmdet::_base_/datasets/ade20k_semantic.py'

data_root = '{{$ADE20K_ROOT:data/ade/ADEChallengeData2016/}}'
crop_size = (512, 512)

load = dict(
    type='mmdet.LoadAnnotations',
    with_bbox=False,
    with_label=False,
    with_seg=True,
    reduce_zero_label=True,
)
resize = dict(
    type='RandomChoiceResize',
    resize_type='mmdet.ResizeShortestEdge',
    scales=[crop_size[0] * tenths // 10 for tenths in range(5, 21)],
    max_size=2048,
)
crop = dict(type='mmdet.RandomCrop', crop_size=crop_size)
augment = [
    dict(type='mmdet.PhotoMetricDistortion'),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmdet.ADE20KSegDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='images/training', seg_map_path='annotations/training'
        ),
        pipeline=[
            dict(type='LoadImageFromFile'),
            load,
            resize,
            crop,
            *augment,
        ],
    ),
)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader

load_cityscapes = dict(load, reduce_zero_label=False)
cityscapes = dict(
    _delete_=True,
    type='mmdet.BaseSegDataset',
    data_root='{{$CITYSCAPES_ROOT:data/cityscapes/}}',
    img_suffix='_leftImg8bit.png',
    seg_map_suffix='_gtFine_labelTrainIds.png',
    metainfo=dict(
        classes=[
            'road',
            'sidewalk',
            'building',
            'wall',
            'fence',
            'pole',
            'traffic light',
            'traffic sign',
            'vegetation',
            'terrain',
            'sky',
            'person',
            'rider',
            'car',
            'truck',
            'bus',
            'train',
            'motorcycle',
            'bicycle',
        ],
    ),
)
cityscapes_train = dict(
    dataset=dict(
        cityscapes,
        data_prefix=dict(
            img_path='leftImg8bit/train', seg_map_path='gtFine/train'
        ),
        pipeline=[
            dict(type='LoadImageFromFile'),
            load_cityscapes,
            dict(
                resize,
                scales=[1024 * tenths // 10 for tenths in range(5, 21)],
                max_size=4096,
            ),
            # Width first, unlike everything else.
            dict(crop, crop_size=(1024, 512)),
            *augment,
        ],
    )
)
cityscapes_val = dict(
    dataset=dict(
        cityscapes,
        data_prefix=dict(
            img_path='leftImg8bit/val', seg_map_path='gtFine/val'
        ),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmdet.Resize', scale=(2048, 1024), keep_ratio=True),
            # Behind the resize: compared at the stored size.
            load_cityscapes,
            dict(
                type='mmdet.PackDetInputs',
                meta_keys=('img_path', 'ori_shape', 'img_shape'),
            ),
        ],
    )
)
