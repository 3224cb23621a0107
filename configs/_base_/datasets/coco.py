"""COCO for configs that inherit a whole config of mmdet: values to assign.

Such a config has mmdet's data already, so it only says what is ours:
`train_dataloader = _base_.lsj_panoptic_train` and so on. Panoptic files are
read without panopticapi. The environment variable COCO_ROOT replaces the
folder (end it with a slash), NUM_WORKERS the number of processes that load.
"""

coco_root = '{{$COCO_ROOT:data/coco/}}'
annotations = f'{coco_root}annotations/'

instance_set = dict(
    type='mmseg_plugin.CocoInstanceDataset', data_root=coco_root
)
panoptic_set = dict(
    type='mmseg_plugin.CocoPanopticDataset', data_root=coco_root
)
coco_loader = dict(dataset=instance_set)
instance_quality = dict(
    type='mmseg_plugin.CocoInstanceMetric',
    ann_file=f'{annotations}instances_val2017.json',
)
panoptic_quality = dict(
    type='mmseg_plugin.CocoPanopticMetric',
    ann_file=f'{annotations}panoptic_val2017.json',
    seg_prefix=f'{annotations}panoptic_val2017/',
)
panoptic_and_instance_quality = [
    panoptic_quality,
    dict(instance_quality, metric=['bbox', 'segm']),
]
panoptic_val = dict(
    dataset=dict(
        panoptic_set,
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
        ],
    )
)

# Large scale jittering exactly as published, which mmdet's is not.
jittered = [
    dict(type='mmseg_plugin.LargeScaleJitter', size=(1024, 1024)),
    dict(type='mmseg_plugin.PackMaskInputs'),
]
workers = dict(num_workers={{'$NUM_WORKERS:4'}}, pin_memory=True)
load_instances = dict(
    type='mmseg_plugin.LoadDeferredAnnotations', with_bbox=True
)
load_panoptic = dict(type='mmseg_plugin.LoadDeferredPanoptic')
lsj_instance_train = dict(
    workers, dataset=dict(instance_set, pipeline=[load_instances, *jittered])
)
lsj_panoptic_train = dict(
    workers, dataset=dict(panoptic_set, pipeline=[load_panoptic, *jittered])
)

resize = dict(
    type='RandomChoiceResize',
    scales=[(size, 1333) for size in range(480, 801, 32)],
    resize_type='mmdet.Resize',
    keep_ratio=True,
)
multi_scale_panoptic_train = dict(
    workers,
    dataset=dict(
        panoptic_set,
        pipeline=[
            dict(type='LoadImageFromFile'),
            load_panoptic,
            dict(type='mmdet.RandomFlip', prob=0.5),
            dict(
                type='RandomChoice',
                transforms=[
                    [resize],
                    [
                        dict(
                            type='RandomChoiceResize',
                            scales=[(400, 1333), (500, 1333), (600, 1333)],
                            resize_type='mmdet.Resize',
                            keep_ratio=True,
                        ),
                        dict(
                            type='mmdet.RandomCrop',
                            crop_type='absolute_range',
                            crop_size=(384, 600),
                            allow_negative_crop=True,
                        ),
                        resize,
                    ],
                ],
            ),
            jittered[-1],
        ],
    ),
)
