_base_ = [
    '../_base_/models/maskdino_tiny_panoptic.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/schedules/scenes_demo.py',
]
model = _base_.query_model
val_evaluator = _base_.panoptic_and_instance_evaluator
test_evaluator = val_evaluator
