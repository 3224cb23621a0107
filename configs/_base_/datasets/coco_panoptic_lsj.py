"""COCO panoptic with large scale jittering exactly as published.

Resized by Pillow, one offset for both axes of the crop, padding with 128
before normalisation; masks are made of the map at the last size. PQ, AP of
things and mIoU from one run. The environment variable COCO_ROOT replaces the
folder (end it with a slash), NUM_WORKERS the number of processes that load.
To assign in a config:

- `train_dataloader = _base_.lsj_1280`: at 1280, one image for each process;
- `test_dataloader = _base_.test_dev_loader` and `test_evaluator =
  _base_.test_dev_results`: the files that COCO's evaluation server wants of
  test-dev. No ground truth is read; `image_info_test-dev2017.json` lacks
  stuff, so the categories are those of val2017.
"""

_base_ = 'mmdet::_base_/datasets/coco_panoptic.py'

data_root = '{{$COCO_ROOT:data/coco/}}'
annotations = f'{data_root}annotations/'

jitter = dict(type='mmseg_plugin.LargeScaleJitter', size=(1024, 1024))
load = dict(type='mmseg_plugin.LoadDeferredPanoptic')
pack = dict(type='mmseg_plugin.PackMaskInputs')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
        ),
    ),
]

train_dataloader = dict(
    num_workers={{'$NUM_WORKERS:4'}},
    pin_memory=True,
    dataset=dict(
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        pipeline=[load, jitter, pack],
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        pipeline=test_pipeline,
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
    dict(type='mmdet.SemSegMetric', iou_metrics=['mIoU']),
]
test_evaluator = val_evaluator

lsj_1280 = dict(
    batch_size=1,
    dataset=dict(pipeline=[load, dict(jitter, size=(1280, 1280)), pack]),
)

test_dev_loader = dict(
    dataset=dict(
        ann_file='annotations/image_info_test-dev2017.json',
        data_prefix=dict(img='test2017/', _delete_=True),
    )
)
test_dev_results = [
    dict(
        type='mmseg_plugin.CocoPanopticMetric',
        ann_file=f'{annotations}panoptic_val2017.json',
        format_only=True,
        outfile_prefix='work_dirs/test-dev',
    )
]
