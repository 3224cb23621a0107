_base_ = [
    '../_base_/models/mask2former_tiny_mmdet.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/schedules/scenes_demo.py',
]
model = dict(_base_.query_model, panoptic_head=_base_.mmdet_head)
