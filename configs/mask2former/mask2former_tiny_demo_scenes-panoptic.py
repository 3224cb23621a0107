_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/schedules/scenes_demo.py',
]
model = dict(_base_.query_model, test_cfg=dict(instance_on=True))
val_evaluator = _base_.panoptic_and_instance_evaluator
test_evaluator = val_evaluator
