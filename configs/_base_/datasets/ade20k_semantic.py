"""ADE20K for detectors of mmdet, in crops of 512; see ade20k.py."""

_base_ = 'mmdet::_base_/datasets/ade20k_semantic.py'

data_root = '{{$ADE20K_ROOT:data/ade/ADEChallengeData2016/}}'
classes = dict(num_things_classes=0, num_stuff_classes=150)
query_model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
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
            *(load, resize, crop),
            *augment,
        ],
    ),
)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
