"""Cityscapes for detectors of mmdet, in crops of 512x1024."""

_base_ = './ade20k_semantic.py'

classes = dict(num_things_classes=0, num_stuff_classes=19)
query_model = dict(panoptic_head=classes, panoptic_fusion_head=classes)

load = dict(_base_.load, reduce_zero_label=False)
dataset = dict(
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
train_dataloader = dict(
    dataset=dict(
        dataset,
        data_prefix=dict(
            img_path='leftImg8bit/train', seg_map_path='gtFine/train'
        ),
        pipeline=[
            dict(type='LoadImageFromFile'),
            load,
            dict(
                _base_.resize,
                scales=[1024 * tenths // 10 for tenths in range(5, 21)],
                max_size=4096,
            ),
            # Width first, unlike everything else.
            dict(_base_.crop, crop_size=(1024, 512)),
            *_base_.augment,
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        dataset,
        data_prefix=dict(
            img_path='leftImg8bit/val', seg_map_path='gtFine/val'
        ),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmdet.Resize', scale=(2048, 1024), keep_ratio=True),
            # Behind the resize: compared at the stored size.
            load,
            dict(
                type='mmdet.PackDetInputs',
                meta_keys=('img_path', 'ori_shape', 'img_shape'),
            ),
        ],
    )
)
test_dataloader = val_dataloader
