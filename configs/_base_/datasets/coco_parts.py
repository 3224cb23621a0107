"""Where COCO is, and what reads and evaluates it: values to assign.

The environment variable COCO_ROOT replaces the folder (end it with a slash).
A config of mmdet is moved there by `train_dataloader = _base_.coco_loader`.

The last ones write the files that COCO's evaluation server wants of test-dev:
`test_dataloader = _base_.test_dev_loader` and `test_evaluator =
_base_.instance_results` or `panoptic_results`. No ground truth is read;
`image_info_test-dev2017.json` lacks stuff, so the panoptic categories are
those of val2017.
"""

coco_root = '{{$COCO_ROOT:data/coco/}}'
coco_annotations = f'{coco_root}annotations/'

coco_loader = dict(
    dataset=dict(type='mmseg_plugin.CocoInstanceDataset', data_root=coco_root)
)
panoptic_loader = dict(
    dataset=dict(type='mmseg_plugin.CocoPanopticDataset', data_root=coco_root)
)
instance_quality = dict(
    type='mmseg_plugin.CocoInstanceMetric',
    ann_file=f'{coco_annotations}instances_val2017.json',
)
panoptic_quality = dict(
    type='mmseg_plugin.CocoPanopticMetric',
    ann_file=f'{coco_annotations}panoptic_val2017.json',
    seg_prefix=f'{coco_annotations}panoptic_val2017/',
)
panoptic_evaluator = [
    panoptic_quality,
    dict(instance_quality, metric=['bbox', 'segm']),
]
panoptic_val_dataloader = dict(
    dataset=dict(
        panoptic_loader['dataset'],
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

test_dev = 'annotations/image_info_test-dev2017.json'
test_dev_loader = dict(
    dataset=dict(
        ann_file=test_dev, data_prefix=dict(img='test2017/', _delete_=True)
    )
)
instance_results = [
    dict(
        type='mmseg_plugin.CocoInstanceMetric',
        ann_file=f'{coco_root}{test_dev}',
        metric=['bbox', 'segm'],
        format_only=True,
        outfile_prefix='work_dirs/test-dev',
    )
]
panoptic_results = [
    dict(
        type='mmseg_plugin.CocoPanopticMetric',
        ann_file=panoptic_quality['ann_file'],
        format_only=True,
        outfile_prefix='work_dirs/test-dev',
    )
]
