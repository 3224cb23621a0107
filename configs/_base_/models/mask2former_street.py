"""Mask2Former on crops of street scenes, in batches of 16.

The rate falls by a power of 0.9. The config that uses it gives the data and
the length, both in `train_cfg` and, one more, in `param_scheduler`.
"""

_base_ = [
    'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
    './mask2former.py',
    '../runtime/parts.py',
]
model = dict(_base_.mask2former, data_preprocessor=dict(batch_augments=None))
train_cfg = dict(dynamic_intervals=None)
param_scheduler = dict(_delete_=True, type='PolyLR', power=0.9, by_epoch=False)
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
optim_wrapper = dict(constructor=_base_.merged_groups)
