"""COCO panoptic with large scale jittering, read without panopticapi.

Values to assign in a config that inherits one of mmdet's Mask2Former:
`train_dataloader = _base_.lsj_train_dataloader` and so on.
"""

crop_size = (1024, 1024)
coco_annotations = 'data/coco/annotations/'

lsj_train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile', to_float32=True),
            dict(type='mmseg_plugin.LoadPanopticAnnotations'),
            dict(type='mmdet.RandomFlip', prob=0.5),
            dict(
                type='RandomResize',
                scale=crop_size,
                ratio_range=(0.1, 2.0),
                resize_type='mmdet.Resize',
                keep_ratio=True,
            ),
            dict(
                type='mmdet.RandomCrop',
                crop_size=crop_size,
                crop_type='absolute',
                recompute_bbox=True,
                allow_negative_crop=True,
            ),
            dict(type='mmdet.PackDetInputs'),
        ]
    )
)
panoptic_val_dataloader = dict(
    dataset=dict(
        pipeline=[
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
    )
)
panoptic_evaluator = [
    dict(
        type='mmseg_plugin.CocoPanopticMetric',
        ann_file=f'{coco_annotations}panoptic_val2017.json',
        seg_prefix=f'{coco_annotations}panoptic_val2017/',
    ),
    dict(
        type='mmdet.CocoMetric',
        ann_file=f'{coco_annotations}instances_val2017.json',
        metric=['bbox', 'segm'],
    ),
]
