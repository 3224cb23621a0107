"""COCO's boxes.

The environment variable COCO_ROOT replaces the folder (end it with a slash).
"""

_base_ = 'mmdet::_base_/datasets/coco_detection.py'

data_root = '{{$COCO_ROOT:data/coco/}}'

train_dataloader = dict(
    dataset=dict(type='mmseg_plugin.CocoInstanceDataset', data_root=data_root)
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
