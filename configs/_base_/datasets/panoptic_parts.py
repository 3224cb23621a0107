"""What panoptic data sets in crops share: parts of pipelines, and loaders.

Loaders to assign in a config once a data set has given them images, such as
`train_dataloader = _base_.crops`. Those with `color` are Mask2Former's, 2
crops for each of 8 GPUs, the others Panoptic FCN's with 4; `images` are
whole. `pairs` are published with Intra-Batch Supervision: two crops of one
category, so a loader's batch size counts pairs.
"""

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
pair_loader = dict(
    loader,
    collate_fn=dict(type='mmseg_plugin.collate_pairs'),
    dataset=dict(type='mmseg_plugin.CategoryCropPairs'),
)
crops = dict(loader, batch_size=4)
crops_color = dict(loader, batch_size=2)
images = dict(loader, batch_size=1)
pairs = dict(pair_loader, batch_size=2)
pairs_color = dict(pair_loader, batch_size=1)
val = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
panoptic_quality = [dict(type='mmseg_plugin.CocoPanopticMetric')]
