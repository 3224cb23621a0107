"""COCO instances with large scale jittering exactly as published.

Resized by Pillow, one offset for both axes of the crop, padding with 128
before normalisation; masks are made of polygons at the last size. The
environment variable COCO_ROOT replaces the folder (end it with a slash),
NUM_WORKERS the number of processes that load. To assign in a config:

- `train_dataloader = _base_.lsj_1280`: at 1280, one image for each process;
- `test_dataloader = _base_.test_dev_loader` and `test_evaluator =
  _base_.test_dev_results`: the file that COCO's evaluation server wants of
  test-dev; no ground truth is read.
"""

_base_ = 'mmdet::_base_/datasets/coco_instance.py'

data_root = '{{$COCO_ROOT:data/coco/}}'

jitter = dict(type='mmseg_plugin.LargeScaleJitter', size=(1024, 1024))
load = dict(type='mmseg_plugin.LoadDeferredAnnotations', with_bbox=True)
pack = dict(type='mmseg_plugin.PackMaskInputs')

train_dataloader = dict(
    num_workers={{'$NUM_WORKERS:4'}},
    pin_memory=True,
    dataset=dict(
        type='mmseg_plugin.CocoInstanceDataset',
        data_root=data_root,
        pipeline=[load, jitter, pack],
    ),
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
    dataset=dict(pipeline=[load, dict(jitter, size=(1280, 1280)), pack]),
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
