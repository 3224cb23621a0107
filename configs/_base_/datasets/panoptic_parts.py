"""Parts of pipelines and loaders that panoptic data sets in crops share."""

load = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
]
color = dict(type='mmdet.PhotoMetricDistortion')
# Objects of one pixel or none are no targets.
visible = dict(
    type='mmdet.FilterAnnotations',
    by_box=False,
    by_mask=True,
    min_gt_mask_area=2,
    keep_empty=False,
)
pack = [
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
# For the metrics: where the ground truth of an image is.
pack_truth = dict(
    type='mmdet.PackDetInputs',
    meta_keys=(
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'seg_map_path',
        'segments_info',
    ),
)
loader = dict(
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler'),
)
