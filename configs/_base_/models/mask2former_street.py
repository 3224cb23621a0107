"""Mask2Former on crops of street scenes, in batches of 16.

The rate falls by a power of 0.9. The config that uses it gives the data, the
length, both in `train_cfg` and, one more, in `param_scheduler`, and one of
the models below: `model = _base_.mask2former_cityscapes`.
"""

_base_ = [
    'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
    './mask2former.py',
]
model = dict(_base_.mask2former, data_preprocessor=dict(batch_augments=None))
train_cfg = dict(dynamic_intervals=None)
param_scheduler = dict(_delete_=True, type='PolyLR', power=0.9, by_epoch=False)
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
optim_wrapper = dict(constructor='mmseg_plugin.MergedOptimWrapperConstructor')

cityscapes = dict(num_things_classes=8, num_stuff_classes=11)
mask2former_cityscapes = dict(
    panoptic_head=cityscapes, panoptic_fusion_head=cityscapes
)
mapillary = dict(num_things_classes=37, num_stuff_classes=28)
mask2former_mapillary = dict(
    panoptic_head=mapillary,
    panoptic_fusion_head=mapillary,
    test_cfg=dict(object_mask_thr=0.0),
)
mapillary_things = dict(num_things_classes=37, num_stuff_classes=0)
mask2former_mapillary_instance = dict(
    panoptic_head=mapillary_things,
    panoptic_fusion_head=mapillary_things,
    test_cfg=dict(panoptic_on=False, instance_on=True, object_mask_thr=0.0),
)
