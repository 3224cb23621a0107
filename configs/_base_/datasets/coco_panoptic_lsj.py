"""COCO panoptic with large scale jittering, read without panopticapi.

mmdet's jittering, which its model zoo uses. Values to assign in a config that
inherits one of mmdet's Mask2Former: `train_dataloader =
_base_.lsj_train_dataloader` and so on.
"""

_base_ = ['./coco_parts.py', './lsj_parts.py']

lsj_train_dataloader = dict(
    dataset=dict(
        _base_.panoptic_loader.dataset,
        pipeline=[
            *_base_.read_panoptic,
            _base_.flip,
            _base_.scale,
            dict(_base_.crop, type='mmdet.RandomCrop'),
            _base_.pack,
        ],
    )
)
