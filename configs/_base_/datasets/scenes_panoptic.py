"""Synthetic scenes with things and stuff: see scenes_instance.py."""

_base_ = ['mmdet::_base_/datasets/coco_panoptic.py', './scenes_classes.py']

data_root = '{{$SCENES_ROOT:data/scenes/}}'
metainfo = dict(
    classes=_base_.thing_classes + _base_.stuff_classes,
    thing_classes=_base_.thing_classes,
    stuff_classes=_base_.stuff_classes,
    palette=_base_.thing_palette + _base_.stuff_palette,
)
things_and_stuff = dict(
    num_things_classes=len(_base_.thing_classes),
    num_stuff_classes=len(_base_.stuff_classes),
)
query_model = dict(
    panoptic_head=things_and_stuff, panoptic_fusion_head=things_and_stuff
)
# mmdet's own head wants a weight for every class and for none.
class_weight = [1.0] * sum(things_and_stuff.values()) + [0.1]
mmdet_head = dict(things_and_stuff, loss_cls=dict(class_weight=class_weight))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
    dict(
        type='mmdet.RandomFlip',
        prob=[0.25, 0.25, 0.25],
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    # For its scale_factor, which mask heads ask for.
    dict(type='mmdet.Resize', scale_factor=1.0),
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
    batch_size=4,
    num_workers=1,
    dataset=dict(
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        ann_file='annotations/panoptic_train.json',
        data_prefix=dict(img='train/', seg='annotations/panoptic_train/'),
        metainfo=metainfo,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        ann_file='annotations/panoptic_val.json',
        data_prefix=dict(img='val/', seg='annotations/panoptic_val/'),
        metainfo=metainfo,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='mmseg_plugin.CocoPanopticMetric',
    ann_file=f'{data_root}annotations/panoptic_val.json',
    seg_prefix=f'{data_root}annotations/panoptic_val/',
)
test_evaluator = val_evaluator
# For models that give instances too.
panoptic_and_instance_evaluator = [
    val_evaluator,
    dict(
        type='mmseg_plugin.CocoInstanceMetric',
        ann_file=f'{data_root}annotations/instances_val.json',
        metric=['bbox', 'segm'],
    ),
]
