_base_ = [
    '../_base_/models/panoptic_fcn.py',
    '../_base_/datasets/coco_panoptic_short-side.py',
    '../_base_/schedules/panoptic_fcn.py',
]
