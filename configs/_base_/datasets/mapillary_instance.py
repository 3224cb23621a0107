"""The 37 thing classes of Mapillary Vistas 1.2, as mapillary_panoptic.py."""

_base_ = './mapillary_panoptic.py'

things_and_stuff = dict(num_things_classes=37, num_stuff_classes=0)
query_model = dict(
    panoptic_head=things_and_stuff,
    panoptic_fusion_head=things_and_stuff,
    test_cfg=dict(panoptic_on=False, instance_on=True),
)

load = [
    _base_.load[0],
    dict(type='mmseg_plugin.LoadPanopticAnnotations', with_seg=False),
]
instances = dict(type='mmseg_plugin.MapillaryInstanceDataset')
crops_color = dict(
    dataset=dict(
        instances,
        pipeline=[
            *load,
            _base_.resize,
            _base_.crop,
            _base_.color,
            *_base_.pack,
        ],
    )
)
pairs_color = dict(
    dataset=dict(
        dataset=dict(
            instances,
            pipeline=[
                *load,
                _base_.near_color,
                _base_.around_object,
                _base_.visible,
                _base_.color,
                *_base_.pack,
            ],
        )
    )
)
val = dict(
    dataset=dict(
        instances,
        pipeline=[
            load[0],
            dict(type='mmdet.Resize', scale=(2048, 2048), keep_ratio=True),
            dict(load[1], with_rle=True),
            dict(
                type='mmdet.PackDetInputs',
                meta_keys=(
                    'img_id',
                    'img_path',
                    'ori_shape',
                    'img_shape',
                    'scale_factor',
                    'instances',
                ),
            ),
        ],
    )
)
average_precision = [
    dict(type='mmseg_plugin.CocoInstanceMetric', metric=['bbox', 'segm'])
]
