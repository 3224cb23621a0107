"""COCO instances with large scale jittering exactly as published.

One offset for both axes of the crop, and padding with 128 before
normalisation. The environment variable COCO_ROOT replaces the folder (end it
with a slash). To assign in a config:

- `train_dataloader = _base_.lsj_1280`: at 1280, one image for each process;
- `test_dataloader = _base_.test_dev_loader` and `test_evaluator =
  _base_.test_dev_results`: the file that COCO's evaluation server wants of
  test-dev; no ground truth is read.
"""

_base_ = 'mmdet::_base_/datasets/coco_instance.py'

data_root = '{{$COCO_ROOT:data/coco/}}'

load = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
]
flip = dict(type='mmdet.RandomFlip', prob=0.5)
resize = dict(
    type='RandomResize',
    scale=(1024, 1024),
    ratio_range=(0.1, 2.0),
    resize_type='mmdet.Resize',
    keep_ratio=True,
)
crop = dict(
    type='mmseg_plugin.SharedOffsetCrop',
    crop_size=(1024, 1024),
    crop_type='absolute',
    recompute_bbox=True,
    allow_negative_crop=True,
)
visible = dict(
    type='mmdet.FilterAnnotations', min_gt_bbox_wh=(1e-5, 1e-5), by_mask=True
)
pad = dict(
    type='mmdet.Pad',
    size=(1024, 1024),
    pad_val=dict(img=128, seg=255, masks=0),
)
pack = dict(type='mmdet.PackDetInputs')
train_pipeline = [*load, flip, resize, crop, visible, pad, pack]

train_dataloader = dict(
    dataset=dict(
        type='mmseg_plugin.CocoInstanceDataset',
        data_root=data_root,
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(type='mmseg_plugin.CocoInstanceDataset', data_root=data_root)
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='mmseg_plugin.CocoInstanceMetric',
    ann_file=f'{data_root}annotations/instances_val2017.json',
)
test_evaluator = val_evaluator

lsj_1280 = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        pipeline=[
            *load,
            flip,
            dict(resize, scale=(1280, 1280)),
            dict(crop, crop_size=(1280, 1280)),
            visible,
            dict(pad, size=(1280, 1280)),
            pack,
        ]
    ),
)

test_dev = 'annotations/image_info_test-dev2017.json'
test_dev_loader = dict(
    dataset=dict(
        ann_file=test_dev, data_prefix=dict(img='test2017/', _delete_=True)
    )
)
test_dev_results = [
    dict(
        type='mmseg_plugin.CocoInstanceMetric',
        ann_file=f'{data_root}{test_dev}',
        metric=['bbox', 'segm'],
        format_only=True,
        outfile_prefix='work_dirs/test-dev',
    )
]
