_base_ = [
    '../_base_/models/panoptic_fcn_tiny.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/schedules/scenes_demo.py',
]
model = _base_.query_model
